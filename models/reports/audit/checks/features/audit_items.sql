-- Items that a stay has or lacks, each of which may separate the classes by its presence. Columns: each category of a
-- demographic. Words: each word, and each pair of consecutive words, of the radiology reports and of the profiles;
-- case, line breaks and punctuation are ignored. Every stay that could have items of a source also has the item null.
-- Grain: one row per check (columns or words), task, stay of audit_train_patients, source and item.
with patients as (
    select * from {{ ref('audit_train_patients') }}
),

texts as (
    select
        stay_id,
        'reports' as source,
        text
    from {{ ref('radiology_reports') }}

    union all

    select
        stay_id,
        'profiles' as source,
        profile as text
    from {{ ref('patient_profiles') }}
),

texts_in_words as (
    select
        stay_id,
        source,
        {{ words_of('text') }} as words
    from texts
    semi join patients on texts.stay_id = patients.stay_id
),

words as (
    select distinct
        stay_id,
        source,
        unnest(
            [null] || words || list_transform(list_zip(words[:-2], words[2:]), lambda pair: pair[1] || ' ' || pair[2])
        ) as item
    from texts_in_words
),

categories as (
    select
        stay_id,
        source,
        unnest([null, category]) as item
    from {{ ref('audit_demographics') }}
),

items as (
    select
        'columns' as about,
        *
    from categories

    union all

    select
        'words' as about,
        *
    from words
),

final as (
    select
        items.about,
        patients.task,
        patients.label,
        items.source,
        items.item
    from items
    inner join patients on items.stay_id = patients.stay_id
)

select * from final

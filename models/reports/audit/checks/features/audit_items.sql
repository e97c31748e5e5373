-- What a stay has or has not, of which each may separate the classes by being there. Columns: each category of a
-- demographic. Words: each word, and each pair of words that follow each other, of the radiology reports and of the
-- profiles; letter case, line breaks and punctuation do not count. A stay that could have some has the item null too.
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

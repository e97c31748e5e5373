-- Does one word, or one pair of words that follow each other, of the radiology reports or of the profiles alone
-- separate the classes of a task on train, by being there or not (AUROC over 0.9)? Letter case, line breaks and
-- punctuation do not count. Among the stays that have reports, or a profile.
-- Grain: one row per task, reports or profiles, and word or pair.
with patients as (
    {{ train_patients() }}
),

texts as (
    select
        stay_id,
        'reports' as source,
        text
    from {{ ref('reports') }}

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

items as (
    select distinct
        stay_id,
        source,
        unnest(
            words || list_transform(list_zip(words[:-2], words[2:]), lambda pair: pair[1] || ' ' || pair[2])
        ) as item
    from texts_in_words
),

items_by_label as (
    select
        patients.task,
        patients.label,
        items.source,
        items.item
    from items
    inner join patients on items.stay_id = patients.stay_id
),

all_stays as (
    select distinct
        patients.task,
        patients.stay_id,
        patients.label,
        texts.source
    from patients
    inner join texts on patients.stay_id = texts.stay_id
),

aurocs as (
    {{ auroc_of_having('items_by_label', 'all_stays') }}
),

-- A word may be a name: it is told by its md5, unless it is one of seeds/outcome_words.csv.
named as (
    select
        aurocs.*,
        concat_ws(
            ' ', aurocs.source,
            coalesce(outcome_words.word, 'word with md5 ' || left(md5(aurocs.item), 8) || '...')
        ) as name
    from aurocs
    left join {{ ref('outcome_words') }} as outcome_words on aurocs.item = outcome_words.word
),

final as (
    {{ that_separate('named') }}
)

select * from final

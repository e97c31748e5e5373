-- Were learners shown few-shot examples from outside the train split?
-- Grain: one row per run under the settings of current answers, and example that it showed.
with definition as (
    select
        cohort_hash,
        (variables ->> 'split_unit') = 'patient' as split_by_patient
    from {{ ref('cohort_definition') }}
),

cohort as (
    select
        *,
        max(split = 'test') over (partition by subject_id) as is_of_test_patient
    from {{ ref('cohort') }}
),

answers as (
    select * from {{ ref('current_answers') }}
),

-- Examples of the runs under the settings of current answers.
shots as (
    select
        runs.name as learner,
        unnest(from_json(runs.settings -> 'shots', '[{"task": "varchar", "stay_id": "integer"}]')) as shot
    from {{ ref('runs') }} as runs
    semi join answers on runs.name = answers.learner and runs.fingerprint = answers.fingerprint
    inner join definition on runs.cohort_hash = definition.cohort_hash
    where runs.kind = 'ask'
),

examples as (
    select
        shots.shot.stay_id,
        shots.learner || ' ' || shots.shot.task as of_task
    from shots
),

final as (
    select
        examples.stay_id,
        case
            when cohort.stay_id is null then examples.of_task || ': not of the cohort'
            when cohort.split != 'train' then examples.of_task || ': ' || cohort.split
            when definition.split_by_patient and cohort.is_of_test_patient
                then examples.of_task || ': patient of test'
        end as problem,
        false as is_chosen
    from examples
    left join cohort on examples.stay_id = cohort.stay_id
    cross join definition
)

select * from final

-- The part of reports.audit that asks whether learners were asked about the test split of the present cohort
-- only, and learned from examples of its train split only.
-- Grain: one row per check.
{{ config(alias='audit_answers') }}

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
    select answers.*
    from {{ source('results', 'standing_answers') }} as answers
    inner join definition on answers.cohort_hash = definition.cohort_hash
),

asked as (
    select
        answers.stay_id,
        case
            when cohort.stay_id is null then answers.learner || ': not of the cohort'
            when cohort.split != 'test' then answers.learner || ': ' || cohort.split
        end as problem,
        false as is_chosen
    from answers
    left join cohort on answers.stay_id = cohort.stay_id
),

-- Of the runs that asked what stands.
shots as (
    select
        runs.name as learner,
        unnest(from_json(runs.settings -> 'shots', '[{"task": "varchar", "stay_id": "integer"}]')) as shot
    from {{ source('results', 'runs') }} as runs
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

shown as (
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
),

final as (
    {{ audit_checks({
        'answers_outside_test': 'asked',
        'shots_outside_train': 'shown',
    }) }}
)

select * from final

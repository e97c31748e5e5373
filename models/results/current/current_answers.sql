-- The answers of each learner under the settings of its last run with an answer, as long as what the learner was
-- shown is unchanged.
-- Grain: one row per learner and question.
with answers as (
    select * from {{ ref('answers') }}
    where {{ is_current('reads') }}
),

runs as (
    select
        runs.name as learner,
        runs.fingerprint
    from {{ ref('runs') }} as runs
    semi join answers
        on runs.name = answers.learner and runs.fingerprint = answers.fingerprint and answers.status = 'answered'
    where runs.kind = 'ask'
    qualify row_number() over (partition by runs.name order by runs.started_at desc, runs.run_id desc) = 1
),

cohort as (
    select cohort_hash from {{ ref('cohort_definition') }}
),

final as (
    select
        answers.*,
        cohort.cohort_hash
    from answers
    inner join runs on answers.learner = runs.learner and answers.fingerprint = runs.fingerprint
    cross join cohort
)

select * from final

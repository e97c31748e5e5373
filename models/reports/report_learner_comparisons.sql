-- Is a multimodal learner better than the modular framework, than itself without the picture, than another
-- learner? Differences on the same stays and resamples; what is subtracted stands too.
-- Grain: one row per question, task, learner, what it is compared with, and metric.
{{ config(alias='learner_comparisons') }}

with learners as (
    {{ standing_learners() }}
),

arms as (
    select * from {{ ref('report_arms') }}
),

found as (
    select * from {{ source('results', 'learner_comparisons') }}
),

final as (
    select
        found.*,
        learners.protocol,
        learners.is_synthetic
    from found
    inner join learners
        on
            found.learner = learners.learner
            and found.fingerprint = learners.fingerprint
            and found.cohort_hash = learners.cohort_hash
    left join learners as others
        on found.other_learner = others.learner and found.other_fingerprint = others.fingerprint
    left join arms on found.other_run_id = arms.run_id
    where
        (found.other_learner is null or others.learner is not null)
        and (found.other_run_id is null or arms.run_id is not null)
)

select * from final

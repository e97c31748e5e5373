-- How many stays of the cohort each task includes, and why it excludes the others.
-- Grain: one row per task and reason; the reason is null for the stays that are included.
with outcomes as (
    select * from {{ ref('task_outcomes') }}
),

cohort as (
    select * from {{ ref('cohort') }}
),

final as (
    select
        outcomes.task,
        outcomes.excluded_because,
        count(*) as stays,
        count(distinct cohort.subject_id) as patients
    from outcomes
    inner join cohort on outcomes.stay_id = cohort.stay_id
    group by outcomes.task, outcomes.excluded_because
)

select * from final
order by task, excluded_because nulls first

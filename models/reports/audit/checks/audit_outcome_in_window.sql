-- Was an outcome decided before the window ended, for a stay that the task includes, or did the patient leave the ICU
-- before? The end of the window is recomputed from intime.
-- Grain: one row per stay of the cohort and task that includes it, and one per stay.
with settings as (
    select
        cast(variables ->> 'window_end_hours' as double) as end_hours,
        (variables ->> 'landmark') = 'false' as without_landmark
    from {{ ref('cohort_definition') }}
),

cohort as (
    select
        cohort.*,
        settings.without_landmark,
        cohort.intime + to_microseconds(cast(settings.end_hours * 3.6e9 as bigint)) as closes_at
    from {{ ref('cohort') }} as cohort
    cross join settings
),

outcomes as (
    select * from {{ ref('task_outcomes') }}
    where label is not null
),

final as (
    select
        cohort.stay_id,
        case
            when outcomes.decided_at is null then outcomes.task || ': nobody knows when it was decided'
            when outcomes.decided_at < cohort.closes_at then outcomes.task || ': decided in the window'
        end as problem,
        cohort.without_landmark as is_chosen
    from cohort
    inner join outcomes on cohort.stay_id = outcomes.stay_id

    union all

    select
        stay_id,
        if(outtime < closes_at or outtime is null, 'left the ICU in the window', null) as problem,
        without_landmark as is_chosen
    from cohort
)

select * from final

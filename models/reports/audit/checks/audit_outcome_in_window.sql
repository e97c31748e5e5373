-- Did patients die or leave the ICU before the window ended? Its end is computed anew from intime.
-- Grain: one row per stay of the cohort.
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

stays as (
    select * from {{ ref('int_stays') }}
),

final as (
    select
        cohort.stay_id,
        case
            when stays.died_at <= cohort.closes_at then 'died in the window'
            when cohort.outtime < cohort.closes_at or cohort.outtime is null then 'left the ICU in the window'
        end as problem,
        cohort.without_landmark as is_chosen
    from cohort
    left join stays on cohort.stay_id = stays.stay_id
)

select * from final

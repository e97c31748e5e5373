-- Does the hourly grid reach outside the window?
-- Grain: one row per stay, bin and variable.
with settings as (
    select
        cast(variables ->> 'window_start_hours' as double) as start_hours,
        cast(variables ->> 'window_end_hours' as double) as end_hours
    from {{ ref('cohort_definition') }}
),

vitals_hourly as (
    select * from {{ ref('vitals_hourly') }}
),

final as (
    select
        vitals_hourly.stay_id,
        if(
            vitals_hourly.hour >= settings.start_hours and vitals_hourly.hour < settings.end_hours,
            null,
            'hour ' || vitals_hourly.hour
        ) as problem,
        false as is_chosen
    from vitals_hourly
    cross join settings
)

select * from final

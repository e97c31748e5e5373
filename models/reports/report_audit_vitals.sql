-- The part of reports.audit about marts.vitals_hourly: does the grid end with the window, and had test stays
-- a say in what fills it? Bins and medians are reckoned anew from marts.vitals_events.
-- Grain: one row per check.
{{ config(alias='audit_vitals') }}

with settings as (
    select
        cast(variables ->> 'window_start_hours' as double) as start_hours,
        cast(variables ->> 'window_end_hours' as double) as end_hours,
        cast(variables ->> 'bin_hours' as double) as bin_hours,
        variables ->> 'imputation' as imputation
    from {{ ref('cohort_definition') }}
),

cohort as (
    select * from {{ ref('cohort') }}
),

events as (
    select
        events.*,
        floor((round(events.hours * 3.6e9) - settings.start_hours * 3.6e9) / (settings.bin_hours * 3.6e9)) as bin
    from {{ ref('vitals_events') }} as events
    cross join settings
),

vitals_hourly as (
    select * from {{ ref('vitals_hourly') }}
),

grid_in_time as (
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
),

train_bins as (
    select
        events.variable,
        avg(events.value) as value
    from events
    inner join cohort on events.stay_id = cohort.stay_id
    where cohort.split = 'train'
    group by events.stay_id, events.variable, events.bin
),

train_medians as (
    select
        variable,
        median(value) as value
    from train_bins
    group by variable
),

first_measured as (
    select
        stay_id,
        variable,
        min(bin) as bin
    from events
    group by stay_id, variable
),

-- Bins that nothing was measured for: under `forward`, nothing yet.
filled as (
    select
        vitals_hourly.stay_id,
        if(
            abs(vitals_hourly.value - train_medians.value) <= 1e-9 * greatest(abs(train_medians.value), 1),
            null,
            vitals_hourly.variable
        ) as problem,
        false as is_chosen
    from vitals_hourly
    cross join settings
    inner join train_medians on vitals_hourly.variable = train_medians.variable
    left join first_measured
        on
            vitals_hourly.stay_id = first_measured.stay_id
            and vitals_hourly.variable = first_measured.variable
    where
        settings.imputation != 'none'
        and (
            first_measured.bin is null
            or (
                settings.imputation = 'forward'
                and vitals_hourly.hour < settings.start_hours + first_measured.bin * settings.bin_hours - 1e-6
            )
        )
),

final as (
    {{ audit_checks({
        'vitals_hourly_past_cutoff': 'grid_in_time',
        'fill_not_of_train': 'filled',
    }) }}
)

select * from final

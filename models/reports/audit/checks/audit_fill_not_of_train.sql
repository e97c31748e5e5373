-- Is what was not measured filled with other than the median of the train split? Bins and medians are
-- computed anew from marts.vitals_events.
-- Grain: one row per stay, variable and bin that nothing was measured for.
with settings as (
    select
        cast(variables ->> 'window_start_hours' as double) as start_hours,
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
final as (
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
)

select * from final

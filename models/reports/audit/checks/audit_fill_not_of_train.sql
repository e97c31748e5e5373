-- Is a bin that needs a median filled with something other than the median of the train split? Bins and medians are
-- recomputed: from the bins measured in marts.vitals_events or, by variable and hour, from the bins that these fill.
-- Grain: one row per stay, variable and bin that needs a median.
with settings as (
    select
        cast(variables ->> 'window_start_hours' as double) as start_hours,
        cast(variables ->> 'bin_hours' as double) as bin_hours,
        (variables ->> 'window_closed') = 'left' as closed_left,
        variables ->> 'imputation' as imputation,
        (variables ->> 'median_fill') = 'variable_and_hour' as by_hour
    from {{ ref('cohort_definition') }}
),

cohort as (
    select * from {{ ref('cohort') }}
),

events as (
    select
        events.*,
        (round(events.hours * 3.6e9) - settings.start_hours * 3.6e9) / (settings.bin_hours * 3.6e9) as bins,
        if(settings.closed_left, floor(bins), ceil(bins) - 1) as bin
    from {{ ref('vitals_events') }} as events
    cross join settings
),

vitals_hourly as (
    select * from {{ ref('vitals_hourly') }}
),

first_measured as (
    select
        stay_id,
        variable,
        min(bin) as bin
    from events
    group by stay_id, variable
),

train_bins as (
    select
        events.variable,
        null as hour,
        avg(events.value) as value
    from events
    inner join cohort on events.stay_id = cohort.stay_id
    cross join settings
    where cohort.split = 'train' and not settings.by_hour
    group by events.stay_id, events.variable, events.bin

    union all

    select
        vitals_hourly.variable,
        vitals_hourly.hour,
        vitals_hourly.value
    from vitals_hourly
    inner join cohort on vitals_hourly.stay_id = cohort.stay_id
    inner join first_measured
        on vitals_hourly.stay_id = first_measured.stay_id and vitals_hourly.variable = first_measured.variable
    cross join settings
    where
        cohort.split = 'train'
        and settings.by_hour
        and (
            settings.imputation = 'forward_backward'
            or vitals_hourly.hour > settings.start_hours + first_measured.bin * settings.bin_hours - 1e-6
        )
),

train_medians as (
    select
        variable,
        hour,
        median(value) as value
    from train_bins
    group by variable, hour
),

-- Bins of variables that were never measured in the stay; under `forward`, also those before the first measurement.
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
    inner join train_medians
        on
            vitals_hourly.variable = train_medians.variable
            and vitals_hourly.hour = coalesce(train_medians.hour, vitals_hourly.hour)
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

-- Data-quality issues of electrocardiograms, counted.
-- Grain: one row per finding.
with

records as (
    select * from {{ ref('stg_mimiciv_ecg__record_list') }}
),

ecgs as (
    select * from {{ ref('int_ecgs') }}
),

stays as (
    select * from {{ ref('int_stays') }}
),

by_record as (
    select
        'record_list' as source,
        unnest([
            'no time: never used',
            'no row in machine_measurements',
            'a time outside the years that MIMIC shifts to'
        ]) as finding,
        unnest([
            count(*) filter (where records.ecg_time is null),
            count(*) filter (where measurements.study_id is null),
            count(*) filter (where {{ outside_shifted_years('records.ecg_time') }})
        ]) as found,
        count(*) as of_rows
    from records
    left join {{ ref('stg_mimiciv_ecg__machine_measurements') }} as measurements on records.study_id = measurements.study_id
),

by_stay as (
    select
        'record_list' as source,
        unnest([
            'counted per stay: within the clock margin of the start of the window, perhaps taken before it',
            'counted per stay: within the clock margin of the end of the window, left out',
            'counted per stay: with an interval or axis that was not measured (29999) or cannot be'
        ]) as finding,
        unnest([
            count(*) filter (
                where ecgs.observed_at >= stays.window_start
                and ecgs.observed_at < {{ hours_after('stays.window_start', setting('ecg_clock_margin_hours')) }}
            ),
            count(*) filter (where ecgs.observed_at < stays.window_end and ecgs.available_at >= stays.window_end),
            count(*) filter (where ecgs.removed > 0)
        ]) as found,
        count(*) as of_rows
    from ecgs
    inner join stays on ecgs.stay_id = stays.stay_id
),

final as (
    select * from by_record
    union all
    select * from by_stay
)

select * from final

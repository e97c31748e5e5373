-- Electrocardiograms matched to stays: same patient, taken from the earliest of admission, ED registration and ICU
-- admission to the end of the stay. Intervals and axes that cannot be (seeds/concepts/ecg_measurements.csv; the cart
-- writes 29999 for what it could not measure) are null.
-- The clock of a cart is not that of the hospital (Gow et al. 2023): an electrocardiogram counts as available only
-- ecg_clock_margin_hours after its time, so that one that was taken later than it says is not used too early.
-- Grain: one row per stay and electrocardiogram; one may belong to two stays of an admission.
{%- set measured = ['heart_rate', 'p_duration', 'pr_interval', 'qrs_duration', 'qt_interval', 'p_axis', 'qrs_axis', 't_axis'] %}
with records as (
    select * from {{ ref('stg_mimiciv_ecg__record_list') }}
),

intervals as (
    select
        study_id,
        60000 / nullif(rr_interval, 0) as heart_rate,
        p_end - p_onset as p_duration,
        qrs_onset - p_onset as pr_interval,
        qrs_end - qrs_onset as qrs_duration,
        t_end - qrs_onset as qt_interval,
        p_axis,
        qrs_axis,
        t_axis
    from {{ ref('stg_mimiciv_ecg__machine_measurements') }}
),

bounds as (
    select
        map_from_entries(list((variable, lowest))) as lowest,
        map_from_entries(list((variable, highest))) as highest
    from {{ ref('ecg_measurements') }}
),

stays as (
    select * from {{ ref('int_stays') }}
),

matched as (
    select
        stays.stay_id,
        records.study_id,
        records.ecg_time as observed_at,
        {{ hours_after('records.ecg_time', setting('ecg_clock_margin_hours')) }} as available_at,
        {{ hours_since('stays.intime', 'records.ecg_time') }} as hours,
        -- below CHARTHOUSE_ECG, with the endings .hea and .dat
        concat(
            'files/p', left(cast(records.subject_id as varchar), 4),
            '/p', records.subject_id, '/s', records.study_id, '/', records.study_id
        ) as path
    from records
    inner join stays
        on
            records.subject_id = stays.subject_id
            and records.ecg_time >= stays.matched_from
            and records.ecg_time <= stays.outtime
),

final as (
    select
        matched.stay_id,
        matched.study_id,
        matched.observed_at,
        matched.available_at,
        matched.hours,
        {%- for name in measured %}
        if(
            intervals.{{ name }} between bounds.lowest['{{ name }}'] and bounds.highest['{{ name }}'],
            intervals.{{ name }},
            null
        ) as {{ name }},
        {%- endfor %}
        {%- for name in measured %}
        {{ '+ ' if not loop.first }}coalesce(
            cast(intervals.{{ name }} not between bounds.lowest['{{ name }}'] and bounds.highest['{{ name }}'] as integer), 0
        )
        {%- endfor %} as removed,
        matched.path
    from matched
    left join intervals on matched.study_id = intervals.study_id
    cross join bounds
)

select * from final

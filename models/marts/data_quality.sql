-- Rows that are merely dirty: counted here, never fatal. Counts are over all ICU stays, before the
-- rules of the cohort.
-- Grain: one row per source and finding.
with vitals as (
    select * from {{ ref('int_vitals_cleaned') }}
),

findings as (
    select
        'chartevents: ' || variable as source,
        fate as finding,
        count(*) as found,
        sum(count(*)) over (partition by variable) as of_rows
    from vitals
    group by variable, fate

    union all

    select
        'chartevents' as source,
        unnest([
            'stay_id is null or unknown',
            'stored before it was charted',
            'never stored: counts as available when charted'
        ]) as finding,
        unnest([
            count(*) filter (where stays.stay_id is null),
            count(*) filter (where events.storetime < events.charttime),
            count(*) filter (where events.storetime is null)
        ]) as found,
        count(*) as of_rows
    from {{ ref('stg_mimiciv__chartevents') }} as events
    left join {{ ref('int_stays') }} as stays on events.stay_id = stays.stay_id

    union all

    select
        'chartevents' as source,
        'same stay, time and item again' as finding,
        coalesce(sum(times - 1), 0) as found,
        coalesce(sum(times), 0) as of_rows
    from (
        select count(*) as times
        from {{ ref('stg_mimiciv__chartevents') }}
        group by stay_id, charttime, itemid
    ) as measurements

    union all

    select
        'radiology' as source,
        unnest([
            'hadm_id is null: matched by time',
            'never stored: counts as available when charted',
            'empty text, dropped',
            'no charttime, dropped'
        ]) as finding,
        unnest([
            count(*) filter (where hadm_id is null),
            count(*) filter (where storetime is null),
            count(*) filter (where coalesce(trim(text), '') = ''),
            count(*) filter (where charttime is null)
        ]) as found,
        count(*) as of_rows
    from {{ ref('stg_mimiciv__radiology') }}

    union all

    select
        'metadata' as source,
        unnest(['no study time, dropped', 'no view position']) as finding,
        unnest([
            count(*) filter (where study_at is null),
            count(*) filter (where view_position is null)
        ]) as found,
        count(*) as of_rows
    from {{ ref('stg_mimic_cxr__metadata') }}
),

final as (
    select
        source,
        finding,
        cast(found as bigint) as rows_found,
        cast(of_rows as bigint) as of_rows
    from findings
    order by source, finding
)

select * from final

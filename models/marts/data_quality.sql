-- Rows that are merely dirty: counted here, never fatal; and beside the vital signs that are not kept,
-- those that are. Counts are over all rows of the raw tables, before the rules of the
-- cohort; of chartevents over the items of seeds.vital_signs, by variable over known stays only.
-- Grain: one row per source and finding.
with vitals as (
    select * from {{ ref('int_vitals_cleaned') }}
),

findings as (
    select
        'patients' as source,
        unnest([
            'no anchor age or year: no age, stays dropped',
            'no anchor year group: era unknown',
            'gender is blank: UNKNOWN'
        ]) as finding,
        unnest([
            count(*) filter (where anchor_age is null or anchor_year is null),
            count(*) filter (where anchor_year_group is null),
            count(*) filter (where coalesce(trim(gender), '') = '')
        ]) as found,
        count(*) as of_rows
    from {{ ref('stg_mimiciv__patients') }}

    union all

    select
        'admissions' as source,
        unnest([
            'no admittime: no age, stays dropped',
            'dischtime before admittime',
            'deathtime, but hospital_expire_flag is 0: label negative',
            'hospital_expire_flag is 1 without deathtime: dischtime counts as the death',
            'hospital_expire_flag is 1 without deathtime or dischtime: not alive at the landmark',
            'a time outside the years that MIMIC shifts to'
        ]) as finding,
        unnest([
            count(*) filter (where admittime is null),
            count(*) filter (where dischtime < admittime),
            count(*) filter (where deathtime is not null and hospital_expire_flag = 0),
            count(*) filter (where hospital_expire_flag = 1 and deathtime is null and dischtime is not null),
            count(*) filter (where hospital_expire_flag = 1 and deathtime is null and dischtime is null),
            count(*) filter (where {{ outside_shifted_years('admittime', 'dischtime', 'deathtime', 'edregtime') }})
        ]) as found,
        count(*) as of_rows
    from {{ ref('stg_mimiciv__admissions') }}

    union all

    select
        'icustays' as source,
        unnest([
            'no intime or outtime, dropped',
            'intime before admittime',
            'intime after the death',
            'los is not outtime - intime: the times count',
            'intime or outtime outside the years that MIMIC shifts to'
        ]) as finding,
        unnest([
            count(*) filter (where intime is null or outtime is null),
            count(*) filter (where intime < admittime),
            count(*) filter (where died_at < intime),
            -- los is in days; its four decimals, or seconds cut off, are no contradiction
            count(*) filter (where abs(los - los_days) > 0.01),
            count(*) filter (where {{ outside_shifted_years('intime', 'outtime') }})
        ]) as found,
        count(*) as of_rows
    from {{ ref('int_stays') }}

    union all

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
            'never stored: counts as available when charted',
            'a time outside the years that MIMIC shifts to'
        ]) as finding,
        unnest([
            count(*) filter (where stays.stay_id is null),
            count(*) filter (where events.storetime < events.charttime),
            count(*) filter (where events.storetime is null),
            count(*) filter (where {{ outside_shifted_years('events.charttime', 'events.storetime') }})
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
            'hadm_id is null: {{ 'not matched' if setting('report_match') == 'admission' else 'matched by time' }}',
            'never stored: counts as available when charted',
            'empty text, dropped',
            'no charttime, dropped',
            'a time outside the years that MIMIC shifts to'
        ]) as finding,
        unnest([
            count(*) filter (where hadm_id is null),
            count(*) filter (where storetime is null),
            count(*) filter (where not coalesce(regexp_matches(text, '\S'), false)),
            count(*) filter (where charttime is null),
            count(*) filter (where {{ outside_shifted_years('charttime', 'storetime') }})
        ]) as found,
        count(*) as of_rows
    from {{ ref('stg_mimiciv__radiology') }}

    union all

    select
        'metadata' as source,
        unnest([
            'no study time, dropped',
            'no view position',
            'view position in small letters or with blanks: read as without',
            'a time outside the years that MIMIC shifts to'
        ]) as finding,
        unnest([
            count(*) filter (where study_at is null),
            count(*) filter (where coalesce(trim(view_position), '') = ''),
            count(*) filter (where view_position <> upper(trim(view_position)) and trim(view_position) <> ''),
            count(*) filter (where {{ outside_shifted_years('study_at') }})
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

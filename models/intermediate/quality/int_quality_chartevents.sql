-- Data-quality issues of charted vital signs, counted: what became of each value, by variable and for
-- known stays only; and issues over all rows of the items in seeds.vital_signs.
-- Grain: one row per source and finding.
with

vitals as (
    select * from {{ ref('int_vitals_cleaned') }}
),

stays as (
    select * from {{ ref('int_stays') }}
),

by_variable as (
    select
        'chartevents: ' || variable as source,
        fate as finding,
        count(*) as found,
        sum(count(*)) over (partition by variable) as of_rows
    from vitals
    group by variable, fate
),

by_time as (
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
    left join stays on events.stay_id = stays.stay_id
),

repeated as (
    select
        'chartevents' as source,
        'same stay, time and item again' as finding,
        count(*) filter (where place > 1) as found,
        count(*) as of_rows
    from (
        select row_number() over (partition by stay_id, charttime, itemid) as place
        from {{ ref('stg_mimiciv__chartevents') }}
    ) as measurements
),

final as (
    select * from by_variable
    union all
    select * from by_time
    union all
    select * from repeated
)

select * from final

-- Data-quality issues of ICU stays, also compared with their admissions, counted; no row is dropped here.
-- Grain: one row per finding.
with

stays as (
    select * from {{ ref('int_stays') }}
),

final as (
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
            -- los is in days; rounding to four decimals, or truncated seconds, are not a contradiction
            count(*) filter (where abs(los - los_days) > 0.01),
            count(*) filter (where {{ outside_shifted_years('intime', 'outtime') }})
        ]) as found,
        count(*) as of_rows
    from stays
)

select * from final

-- Data-quality issues of admissions in MIMIC-IV, counted; no row is dropped here.
-- Grain: one row per finding.
with

admissions as (
    select * from {{ ref('stg_mimiciv__admissions') }}
),

final as (
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
    from admissions
)

select * from final

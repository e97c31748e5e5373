-- Data-quality issues of coded diagnoses, counted.
-- Grain: one row per finding.
with

diagnoses as (
    select * from {{ ref('stg_mimiciv__diagnoses_icd') }}
),

admissions as (
    select * from {{ ref('stg_mimiciv__admissions') }}
),

titles as (
    select * from {{ ref('stg_mimiciv__d_icd_diagnoses') }}
),

earlier as (
    select * from {{ ref('int_earlier_diagnoses') }}
),

by_row as (
    select
        'diagnoses_icd' as source,
        unnest([
            'no code, or of another version than 9 and 10: never used',
            'hadm_id is not in hosp/admissions: never used',
            'of an admission that ends before it begins: never used',
            'no title in hosp/d_icd_diagnoses: told by its code'
        ]) as finding,
        unnest([
            count(*) filter (where not coalesce(diagnoses.icd_code is not null and diagnoses.icd_version in (9, 10), false)),
            count(*) filter (where admissions.hadm_id is null),
            count(*) filter (where admissions.dischtime < admissions.admittime),
            count(*) filter (where titles.long_title is null)
        ]) as found,
        count(*) as of_rows
    from diagnoses
    left join admissions on diagnoses.hadm_id = admissions.hadm_id and diagnoses.subject_id = admissions.subject_id
    left join titles on diagnoses.icd_version = titles.icd_version and diagnoses.icd_code = titles.icd_code
),

repeated as (
    select
        'diagnoses_icd' as source,
        'same admission and code again' as finding,
        count(*) filter (where place > 1) as found,
        count(*) as of_rows
    from (
        select row_number() over (partition by hadm_id, icd_version, icd_code) as place
        from diagnoses
    ) as coded
),

by_stay as (
    select
        'diagnoses_icd' as source,
        'counted per stay: of an admission that ended in the 30 days before, perhaps not coded yet' as finding,
        count(*) filter (where {{ hours_after('earlier.observed_at', 30 * 24) }} > stays.admittime) as found,
        count(*) as of_rows
    from earlier
    inner join {{ ref('int_stays') }} as stays on earlier.stay_id = stays.stay_id
),

final as (
    select * from by_row
    union all
    select * from repeated
    union all
    select * from by_stay
)

select * from final

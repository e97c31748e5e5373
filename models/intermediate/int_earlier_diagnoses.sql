-- Diagnoses of earlier admissions of the patient: those that had ended when the admission of the stay began. Never those
-- of the admission itself: they are coded after discharge, when its outcome is known.
-- A code counts as known from the discharge of its admission. Coding takes days to weeks, and MIMIC does not say when it
-- was done: if the earlier admission ended shortly before, its codes may not have existed yet (marts.data_quality counts
-- them).
-- Grain: one row per stay and code of an earlier admission.
with diagnoses as (
    select * from {{ ref('stg_mimiciv__diagnoses_icd') }}
    where icd_code is not null and icd_version in (9, 10)
),

admissions as (
    select * from {{ ref('stg_mimiciv__admissions') }}
),

titles as (
    select * from {{ ref('stg_mimiciv__d_icd_diagnoses') }}
),

stays as (
    select * from {{ ref('int_stays') }}
),

codes as (
    select distinct
        icd_version,
        icd_code
    from diagnoses
),

-- A code may count for two groups, such as hypertensive heart and kidney disease.
grouped as (
    select
        codes.icd_version,
        codes.icd_code,
        string_agg(distinct prefixes.charlson_group, ', ' order by prefixes.charlson_group) as charlson_groups
    from codes
    inner join {{ ref('charlson_codes') }} as prefixes
        on codes.icd_version = prefixes.icd_version and starts_with(codes.icd_code, prefixes.prefix)
    group by codes.icd_version, codes.icd_code
),

-- An admission that ends before it starts has no usable time.
earlier as (
    select
        stays.stay_id,
        stays.intime,
        admissions.hadm_id,
        admissions.dischtime
    from stays
    inner join admissions
        on
            stays.subject_id = admissions.subject_id
            and stays.hadm_id <> admissions.hadm_id
            and admissions.admittime <= admissions.dischtime
            and stays.admittime >= admissions.dischtime
),

final as (
    select
        earlier.stay_id,
        earlier.hadm_id,
        diagnoses.seq_num,
        diagnoses.icd_code,
        diagnoses.icd_version,
        titles.long_title,
        grouped.charlson_groups,
        earlier.dischtime as observed_at,
        earlier.dischtime as available_at,
        {{ hours_since('earlier.intime', 'earlier.dischtime') }} as hours
    from earlier
    inner join diagnoses on earlier.hadm_id = diagnoses.hadm_id
    left join titles on diagnoses.icd_version = titles.icd_version and diagnoses.icd_code = titles.icd_code
    left join grouped on diagnoses.icd_version = grouped.icd_version and diagnoses.icd_code = grouped.icd_code
)

select * from final

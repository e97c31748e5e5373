-- Diagnoses as they were coded at discharge, of patients with an ICU stay. The key of a code is its version and its text,
-- without the blanks that early releases pad it with.
-- Grain: one row per row of diagnoses_icd.
with

diagnoses_icd as (
    select * from {{ source('mimiciv_hosp', 'diagnoses_icd') }}
),

-- a set of bits, as in stg_mimiciv__labevents
patients as (
    select
        min(subject_id) as first_id,
        max(subject_id) as last_id,
        bitstring_agg(subject_id) as ids
    from {{ ref('stg_mimiciv__icustays') }}
),

final as (
    select
        diagnoses_icd.subject_id,
        diagnoses_icd.hadm_id,
        diagnoses_icd.seq_num,
        nullif(upper(replace(trim(diagnoses_icd.icd_code), '.', '')), '') as icd_code,
        diagnoses_icd.icd_version
    from diagnoses_icd
    cross join patients
    where
        diagnoses_icd.subject_id between patients.first_id and patients.last_id
        and get_bit(patients.ids, diagnoses_icd.subject_id - patients.first_id) = 1
)

select * from final
order by subject_id, hadm_id, seq_num, icd_version, icd_code

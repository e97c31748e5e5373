-- Hospital admissions as MIMIC-IV has them.
-- Grain: one row per admission.
{{ config(post_hook=[
    "{{ stop_at_bad_keys(this, 'hadm_id', 'hosp/admissions') }}",
    "{{ stop_at_rows('select hadm_id from ' ~ this ~ ' where hospital_expire_flag is null',
        'hosp/admissions: an admission has no hospital_expire_flag', 'It is the label: fetch the file again.') }}",
    "{{ stop_at_rows('select hadm_id from ' ~ this ~ ' where hospital_expire_flag not in (0, 1)',
        'hosp/admissions: a hospital_expire_flag is neither 0 nor 1', 'It is the label: fetch the file again.') }}",
]) }}

select
    subject_id,
    hadm_id,
    admittime,
    dischtime,
    deathtime,
    edregtime,
    insurance,
    language,
    marital_status,
    race,
    hospital_expire_flag
from {{ source('mimiciv_hosp', 'admissions') }}

-- Hospital admissions as MIMIC-IV has them.
-- Grain: one row per admission.
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

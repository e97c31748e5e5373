-- Patients as MIMIC-IV has them.
-- Grain: one row per patient.
select
    subject_id,
    gender,
    anchor_age,
    anchor_year,
    dod
from {{ source('mimiciv_hosp', 'patients') }}

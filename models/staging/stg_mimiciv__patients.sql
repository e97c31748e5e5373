-- Patients as MIMIC-IV has them.
-- Grain: one row per patient.
{{ config(post_hook=["{{ stop_at_bad_keys(this, 'subject_id', 'hosp/patients') }}"]) }}

select
    subject_id,
    gender,
    anchor_age,
    anchor_year
from {{ source('mimiciv_hosp', 'patients') }}

-- Patients as MIMIC-IV has them.
-- Grain: one row per patient.
{{ config(post_hook=[
    "{{ stop_at_bad_keys(this, 'subject_id', 'hosp/patients') }}",
    "{{ stop_at_bad_year_groups(this) }}",
]) }}

select
    subject_id,
    gender,
    anchor_age,
    anchor_year,
    anchor_year_group
from {{ source('mimiciv_hosp', 'patients') }}

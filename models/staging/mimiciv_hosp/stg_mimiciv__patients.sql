-- Patients as MIMIC-IV has them.
-- Grain: one row per patient.
{{ config(post_hook=[
    "{{ stop_at_bad_keys(this, 'subject_id', 'hosp/patients') }}",
    "{{ stop_at_bad_year_groups(this) }}",
    "{{ stop_at_rows('select subject_id from ' ~ this ~ ' where anchor_age not between 0 and 120',
        'hosp/patients: an anchor_age is below 0 or above 120', 'Correct it, or fetch the file again.') }}",
]) }}

select
    subject_id,
    gender,
    anchor_age,
    anchor_year,
    anchor_year_group,
    dod
from {{ source('mimiciv_hosp', 'patients') }}

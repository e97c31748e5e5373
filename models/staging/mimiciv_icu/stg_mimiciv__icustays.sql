-- ICU stays as MIMIC-IV has them.
-- Grain: one row per ICU stay.
{{ config(post_hook=[
    "{{ stop_at_bad_keys(this, 'stay_id', 'icu/icustays') }}",
    "{{ stop_at_rows('select stay_id from ' ~ this ~ ' where outtime < intime',
        'icu/icustays: a stay has its outtime before its intime', 'Correct the times, or fetch the file again.') }}",
    "{{ stop_at_rows('select stay_id from ' ~ this ~ ' where outtime > intime + interval 1 year',
        'icu/icustays: a stay has its outtime more than a year after its intime', 'Correct the times, or fetch the file again.') }}",
]) }}

select
    subject_id,
    hadm_id,
    stay_id,
    first_careunit,
    intime,
    outtime,
    los
from {{ source('mimiciv_icu', 'icustays') }}

-- ICU stays as MIMIC-IV has them.
-- Grain: one row per ICU stay.
{{ config(post_hook=[
    "{{ stop_at_rows('select stay_id from ' ~ this ~ ' group by stay_id having count(*) > 1',
        'icu/icustays: a stay_id stands in more than one row', 'Keep one row a stay, or fetch the file again.') }}",
    "{{ stop_at_rows('select stay_id from ' ~ this ~ ' where outtime < intime',
        'icu/icustays: a stay has its outtime before its intime', 'Correct the times, or fetch the file again.') }}",
]) }}

select
    subject_id,
    hadm_id,
    stay_id,
    first_careunit,
    intime,
    outtime
from {{ source('mimiciv_icu', 'icustays') }}

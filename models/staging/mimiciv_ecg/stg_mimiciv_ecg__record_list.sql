-- Electrocardiograms as MIMIC-IV-ECG lists them.
-- Grain: one row per electrocardiogram.
{{ config(post_hook=["{{ stop_at_bad_keys(this, 'study_id', 'record_list') }}"]) }}

select
    study_id,
    subject_id,
    ecg_time
from {{ source('mimiciv_ecg', 'record_list') }}

-- What carts measured, as MIMIC-IV-ECG has it.
-- Grain: one row per electrocardiogram.
{{ config(post_hook=["{{ stop_at_bad_keys(this, 'study_id', 'machine_measurements') }}"]) }}

select
    study_id,
    subject_id,
    rr_interval,
    p_onset,
    p_end,
    qrs_onset,
    qrs_end,
    t_end,
    p_axis,
    qrs_axis,
    t_axis
from {{ source('mimiciv_ecg', 'machine_measurements') }}

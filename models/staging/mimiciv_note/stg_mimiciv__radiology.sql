-- Radiology reports as MIMIC-IV-Note has them.
-- Grain: one row per report.
{{ config(post_hook=["{{ stop_at_bad_keys(this, 'note_id', 'note/radiology') }}"]) }}

select
    note_id,
    subject_id,
    hadm_id,
    charttime,
    storetime,
    text
from {{ source('mimiciv_note', 'radiology') }}

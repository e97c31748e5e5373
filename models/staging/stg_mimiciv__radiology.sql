-- Radiology reports as MIMIC-IV-Note has them.
-- Grain: one row per report.
select
    note_id,
    subject_id,
    hadm_id,
    charttime,
    storetime,
    text
from {{ source('mimiciv_note', 'radiology') }}

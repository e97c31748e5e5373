-- Radiology reports as MIMIC-IV-Note has them.
-- Grain: one row per report.
select
    note_id,
    subject_id,
    hadm_id,
    charttime,
    storetime,
    text
from {{ read_raw('mimiciv_note', 'radiology') }}

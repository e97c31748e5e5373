-- The dictionary of ICD codes.
-- Grain: one row per version and code.
select
    upper(replace(trim(icd_code), '.', '')) as icd_code,
    icd_version,
    trim(long_title) as long_title
from {{ source('mimiciv_hosp', 'd_icd_diagnoses') }}

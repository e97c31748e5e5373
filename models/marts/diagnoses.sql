-- Diagnoses of the patients' earlier admissions: those that had ended when the present admission began.
-- Grain: one row per stay, earlier admission and code; a code of two admissions is there twice.
with diagnoses as (
    select * from {{ ref('int_earlier_diagnoses') }}
),

cohort as (
    select * from {{ ref('cohort') }}
),

final as (
    select
        diagnoses.stay_id,
        diagnoses.hadm_id,
        diagnoses.seq_num,
        diagnoses.icd_version,
        diagnoses.icd_code,
        diagnoses.long_title,
        diagnoses.charlson_groups,
        diagnoses.observed_at,
        diagnoses.available_at,
        diagnoses.hours
    from diagnoses
    inner join cohort on diagnoses.stay_id = cohort.stay_id
    -- a code may be filed twice for one admission
    qualify
        row_number() over (
            partition by diagnoses.stay_id, diagnoses.hadm_id, diagnoses.icd_version, diagnoses.icd_code
            order by diagnoses.seq_num
        ) = 1
    order by
        diagnoses.stay_id,
        diagnoses.observed_at,
        diagnoses.hadm_id,
        diagnoses.seq_num,
        diagnoses.icd_version,
        diagnoses.icd_code
)

select * from final

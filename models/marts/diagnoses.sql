-- Diagnoses of the patients' earlier admissions: those that had ended when the present admission began.
-- Grain: one row per stay and code of an earlier admission; a code of two admissions is there twice.
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
    order by
        diagnoses.stay_id,
        diagnoses.observed_at,
        diagnoses.hadm_id,
        diagnoses.seq_num,
        diagnoses.icd_version,
        diagnoses.icd_code
)

select * from final

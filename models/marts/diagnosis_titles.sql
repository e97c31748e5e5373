-- Earlier diagnoses as texts: the titles of the codes of each earlier admission, the most important first, or the code
-- itself if hosp/d_icd_diagnoses has no title. The words are those of ICD: nobody wrote them about a patient.
-- Grain: one row per stay and earlier admission.
with diagnoses as (
    select * from {{ ref('diagnoses') }}
),

final as (
    select
        stay_id,
        hadm_id,
        cast(hadm_id as varchar) as note_id,
        observed_at,
        available_at,
        hours,
        string_agg(
            coalesce(long_title, concat('ICD-', icd_version, ' ', icd_code)), '; '
            order by seq_num, icd_version, icd_code
        ) as text
    from diagnoses
    group by stay_id, hadm_id, observed_at, available_at, hours
    order by stay_id, observed_at, hadm_id
)

select * from final

-- What follows a hospital admission: the patient's next admission, and death.
-- Grain: one row per admission.
{{ config(materialized='table') }}

with admissions as (
    select * from {{ ref('stg_mimiciv__admissions') }}
),

patients as (
    select * from {{ ref('stg_mimiciv__patients') }}
),

-- the first admission that begins at or after this discharge; one that begins before counts as part of this one
following as (
    select
        admissions.hadm_id,
        min(later.admittime) as readmitted_at
    from admissions
    inner join admissions as later
        on
            admissions.subject_id = later.subject_id
            and admissions.hadm_id <> later.hadm_id
            and admissions.dischtime <= later.admittime
    group by admissions.hadm_id
),

joined as (
    select
        admissions.hadm_id,
        admissions.subject_id,
        admissions.dischtime,
        admissions.hospital_expire_flag = 1 as died_in_hospital,
        following.readmitted_at,
        {{ hours_after('admissions.dischtime', 30 * 24) }} as last_day_of_30,
        patients.dod as died_on,
        {{ era_year('right', 'patients', 'admissions.dischtime') }} as era_to
    from admissions
    left join following on admissions.hadm_id = following.hadm_id
    left join patients on admissions.subject_id = patients.subject_id
),

final as (
    select
        *,
        coalesce(readmitted_at <= last_day_of_30, false) as is_readmitted_in_30_days,
        coalesce(died_on <= last_day_of_30, false) as is_dead_in_30_days
    from joined
)

select * from final

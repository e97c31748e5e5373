-- Is the patient back in the hospital within 30 days of leaving it? Patients who die at home within these days
-- without coming back count as not readmitted, as do those readmitted to a hospital outside MIMIC-IV:
-- marts.data_quality counts the former, and those who may have been followed for less than 30 days.
-- Grain: one row per stay of the cohort.
with cohort as (
    select * from {{ ref('cohort') }}
),

discharges as (
    select * from {{ ref('int_discharges') }}
),

asked as (
    select
        cohort.stay_id,
        cohort.outtime,
        discharges.*,
        case
            when discharges.died_in_hospital then 'died in the hospital'
            when discharges.dischtime is null then 'no time of discharge'
        end as excluded_because
    from cohort
    inner join discharges on cohort.hadm_id = discharges.hadm_id
),

final as (
    select
        stay_id,
        if(excluded_because is null, cast(is_readmitted_in_30_days as integer), null) as label,
        excluded_because,
        -- a patient in the ICU has not left the hospital, whatever dischtime says
        greatest(outtime, if(is_readmitted_in_30_days, readmitted_at, last_day_of_30)) as decided_at
    from asked
)

select * from final

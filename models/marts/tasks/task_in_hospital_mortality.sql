-- Does the patient die before leaving the hospital?
-- Grain: one row per stay of the cohort.
with cohort as (
    select * from {{ ref('cohort') }}
),

stays as (
    select * from {{ ref('int_stays') }}
),

final as (
    select
        cohort.stay_id,
        cast(stays.hospital_expire_flag = 1 as integer) as label,
        cast(null as varchar) as excluded_because,
        -- a patient in the ICU has not left the hospital, whatever dischtime says
        coalesce(stays.died_at, greatest(stays.dischtime, cohort.outtime)) as decided_at
    from cohort
    inner join stays on cohort.stay_id = stays.stay_id
)

select * from final

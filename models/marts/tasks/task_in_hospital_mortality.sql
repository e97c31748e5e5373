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
        -- alive or dead, the patient leaves the hospital
        coalesce(stays.died_at, stays.dischtime) as decided_at
    from cohort
    inner join stays on cohort.stay_id = stays.stay_id
)

select * from final

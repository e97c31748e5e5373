-- Does the patient die before leaving the ICU?
-- Grain: one row per stay of the cohort.
with cohort as (
    select * from {{ ref('cohort') }}
),

stays as (
    select
        *,
        hospital_expire_flag = 1 and died_at is null as is_unknown
    from {{ ref('int_stays') }}
),

final as (
    select
        cohort.stay_id,
        if(stays.is_unknown, null, cast(coalesce(stays.died_at <= cohort.outtime, false) as integer)) as label,
        if(stays.is_unknown, 'died in hospital at a time that is not known', null) as excluded_because,
        least(stays.died_at, cohort.outtime) as decided_at
    from cohort
    inner join stays on cohort.stay_id = stays.stay_id
)

select * from final

-- A cohort that differs from a published one can only be compared if every dropped stay can be traced: the last step
-- must equal the cohort, each step must drop the difference, and every ICU stay must be kept or dropped by a rule.
with attrition as (
    select
        *,
        lag(stays) over (order by step) as stays_before,
        lag(patients) over (order by step) as patients_before
    from {{ ref('cohort_attrition') }}
)

select 'step ' || step || ' does not add up' as problem
from attrition
where step > 0 and (stays_before - stays != stays_dropped or patients_before - patients != patients_dropped)

union all

select 'the last step is not the cohort' as problem
from (
    select
        min(stays) as stays,
        min(patients) as patients
    from attrition
) as last_step
cross join (
    select
        count(*) as stays,
        count(distinct subject_id) as patients
    from {{ ref('cohort') }}
) as cohort
where last_step.stays != cohort.stays or last_step.patients != cohort.patients

union all

select 'stay ' || icustays.stay_id || ' is neither in the cohort nor dropped by a rule' as problem
from {{ ref('stg_mimiciv__icustays') }} as icustays
anti join {{ ref('cohort') }} as cohort on icustays.stay_id = cohort.stay_id
anti join (
    select stay_id from {{ ref('int_stays_screened') }} where dropped_at_step is not null
) as dropped on icustays.stay_id = dropped.stay_id

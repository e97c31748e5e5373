-- Medications and fluids of the cohort in the window, in the unit of their group: infusions with start and end, and boluses,
-- as far as they were known by the end of the window.
-- Grain: one row per infusion at one rate, or bolus.
with medications as (
    select * from {{ ref('int_medications_running') }}
),

cohort as (
    select * from {{ ref('cohort') }}
),

final as (
    select
        medications.stay_id,
        medications.variable,
        medications.observed_at,
        medications.ended_at,
        medications.available_at,
        medications.hours,
        medications.value,
        medications.is_bolus,
        medications.is_carried_on,
        medications.substance,
        medications.itemid
    from medications
    inner join cohort on medications.stay_id = cohort.stay_id
    where {{ in_window('medications', 'cohort') }}
    order by
        medications.stay_id,
        medications.observed_at,
        medications.itemid,
        medications.ended_at,
        medications.value,
        medications.available_at
)

select * from final

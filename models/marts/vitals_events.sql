-- Vital signs of the cohort in the window: cleaned, in one unit per variable, not imputed.
-- Grain: one row per measurement; one charted twice at the same time has two rows.
with vitals as (
    select * from {{ ref('int_vitals_cleaned') }}
    where value is not null
),

cohort as (
    select * from {{ ref('cohort') }}
),

final as (
    select
        vitals.stay_id,
        vitals.variable,
        vitals.observed_at,
        vitals.available_at,
        vitals.hours,
        vitals.value,
        vitals.itemid,
        vitals.is_intubated
    from vitals
    inner join cohort on vitals.stay_id = cohort.stay_id
    where {{ in_window('vitals', 'cohort') }}
    order by
        vitals.stay_id, vitals.observed_at, vitals.itemid, vitals.value, vitals.is_intubated, vitals.available_at
)

select * from final

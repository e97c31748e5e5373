-- Charted vital signs of the cohort in the window outside the ranges of seeds.vital_signs: removed, or pulled to the
-- valid bound and then also in marts.vitals_events. For people to inspect; nothing is computed from them.
-- Grain: one row per charted value.
{{ config(materialized='view') }}

with vitals as (
    select * from {{ ref('int_vitals_cleaned') }}
    where fate in ('outlier, removed', 'pulled to the valid bound')
),

cohort as (
    select * from {{ ref('cohort') }}
),

final as (
    select
        vitals.stay_id,
        vitals.variable,
        vitals.itemid,
        vitals.observed_at,
        vitals.available_at,
        vitals.hours,
        vitals.charted_value,
        vitals.value,
        vitals.fate
    from vitals
    inner join cohort on vitals.stay_id = cohort.stay_id
    where {{ in_window('vitals', 'cohort') }}
)

select * from final
order by stay_id, observed_at, itemid

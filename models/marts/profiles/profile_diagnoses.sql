-- The lines of earlier diagnoses in patient profiles: an admission each, as marts.diagnosis_titles has it.
-- Grain: one row per stay and earlier admission.
{{ config(materialized='view', schema='intermediate') }}

with final as (
    select
        stay_id,
        hours,
        row_number() over (partition by stay_id order by observed_at, hadm_id) as position,
        text
    from {{ ref('diagnosis_titles') }}
)

select * from final

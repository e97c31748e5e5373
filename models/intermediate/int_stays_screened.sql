-- Which rule of the cohort (macros/cohort_criteria.sql), if any, drops each stay.
-- Grain: one row per ICU stay.
{{ config(materialized='table', post_hook=[
    "{{ stop_at_one_era(this) }}",
    "{{ stop_at_no_cohort(this) }}",
]) }}

with stays as (
    select * from {{ ref('int_stays') }}
),

modalities as (
    select
        stay_id,
        list(modality) filter (where in_window) as in_window
    from {{ ref('int_stay_modalities') }}
    group by stay_id
),

screened as (
    select
        stays.stay_id,
        stays.subject_id,
        case
            {%- for rule in cohort_criteria() %}
            when {{ rule.fails }} then {{ loop.index }}
            {%- endfor %}
        end as dropped_at_step
    from stays
    left join modalities on stays.stay_id = modalities.stay_id
),

final as (
    select
        stay_id,
        subject_id,
        dropped_at_step,
        case dropped_at_step
            {%- for rule in cohort_criteria() %}
            when {{ loop.index }} then {{ text_literal(rule.criterion) }}
            {%- endfor %}
        end as dropped_for_not
    from screened
)

select * from final

-- Does the ICU stay last longer than los_threshold_days?
-- Grain: one row per stay of the cohort.
with cohort as (
    select * from {{ ref('cohort') }}
),

final as (
    select
        stay_id,
        cast(los_days > {{ setting('los_threshold_days') }} as integer) as label,
        cast(null as varchar) as excluded_because,
        least(outtime, {{ hours_after('intime', 24 * setting('los_threshold_days')) }}) as decided_at
    from cohort
)

select * from final

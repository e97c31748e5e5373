-- Was the best time-series baseline picked by its metrics on the test split?
-- Grain: one row per current model.
with definition as (
    select variables ->> 'baseline_chosen_on' as baseline_chosen_on
    from {{ ref('cohort_definition') }}
),

arms as (
    select * from {{ ref('report_arms') }}
),

final as (
    select
        cast(null as integer) as stay_id,
        if(definition.baseline_chosen_on = 'test', 'baseline_chosen_on is test', null) as problem,
        true as is_chosen
    from arms
    cross join definition
)

select * from final

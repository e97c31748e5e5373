-- Are stays scored by a model that was fitted on them?
-- Grain: one row per current model and stay that it scored.
with definition as (
    select from_json(variables ->> 'fit_splits', '["varchar"]') as fit_splits
    from {{ ref('cohort_definition') }}
),

arms as (
    select
        *,
        task || ' ' || arm || ' by ' || fusion as label
    from {{ ref('report_arms') }}
),

predictions as (
    select
        predictions.*,
        arms.label
    from {{ ref('predictions') }} as predictions
    inner join arms on predictions.run_id = arms.run_id
),

final as (
    select
        predictions.stay_id,
        if(
            list_contains(definition.fit_splits, predictions.split) = predictions.out_of_fold, null, predictions.label
        ) as problem,
        false as is_chosen
    from predictions
    cross join definition
)

select * from final

-- Do predictions know another outcome than marts.labels says, or one where it says none?
-- Grain: one row per current model and stay that it scored.
with labels as (
    select * from {{ ref('labels') }}
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
    from {{ source('results', 'predictions') }} as predictions
    inner join arms on predictions.run_id = arms.run_id
),

final as (
    select
        predictions.stay_id,
        if(predictions.y_true = labels.label, null, predictions.label) as problem,
        false as is_chosen
    from predictions
    inner join labels on predictions.stay_id = labels.stay_id and predictions.task = labels.task
)

select * from final

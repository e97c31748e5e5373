-- Do predictions store another outcome than marts.labels, or one where its label is null, or another arm's name?
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
        arms.label,
        predictions.task = arms.task and predictions.arm = arms.arm and predictions.fusion = arms.fusion as is_of_the_arm
    from {{ ref('predictions') }} as predictions
    inner join arms on predictions.run_id = arms.run_id
),

final as (
    select
        predictions.stay_id,
        case
            when not coalesce(predictions.is_of_the_arm, false) then predictions.label || ': named as of another arm'
            when labels.stay_id is not null and not coalesce(predictions.y_true = labels.label, false) then predictions.label
        end as problem,
        false as is_chosen
    from predictions
    left join labels on predictions.stay_id = labels.stay_id and predictions.task = labels.task
)

select * from final

-- Are predictions of other stays or splits, double or missing?
-- Grain: one row per current model and stay that it scored, and one per stay that it should have scored.
with cohort as (
    select * from {{ ref('cohort') }}
),

labels as (
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
        count(*) over (partition by predictions.run_id, predictions.stay_id) as times
    from {{ source('results', 'predictions') }} as predictions
    inner join arms on predictions.run_id = arms.run_id
),

final as (
    select
        predictions.stay_id,
        case
            when cohort.stay_id is null then predictions.label || ': not of the cohort'
            when predictions.split != cohort.split then predictions.label || ': of another split'
            when predictions.times > 1 then predictions.label || ': predicted twice'
        end as problem,
        false as is_chosen
    from predictions
    left join cohort on predictions.stay_id = cohort.stay_id

    union all

    select
        labels.stay_id,
        arms.label || ': not predicted' as problem,
        false as is_chosen
    from arms
    inner join labels on arms.task = labels.task
    inner join cohort on labels.stay_id = cohort.stay_id
    anti join predictions on arms.run_id = predictions.run_id and labels.stay_id = predictions.stay_id
    where cohort.split in ('validation', 'test') and labels.label is not null
)

select * from final

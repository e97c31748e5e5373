-- Are there predictions for other stays or splits, duplicate or missing predictions, or runs recorded on other data?
-- Grain: one row per current model and stay that it scored, one per stay that it failed to score, and one per model.
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

runs as (
    select * from {{ ref('runs') }}
),

definition as (
    select * from {{ ref('cohort_definition') }}
),

predictions as (
    select
        predictions.*,
        arms.label,
        count(*) over (partition by predictions.run_id, predictions.stay_id) as times
    from {{ ref('predictions') }} as predictions
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

    union all

    select
        cast(null as integer) as stay_id,
        if(
            runs.is_synthetic = definition.is_synthetic and runs.protocol = definition.protocol,
            null,
            arms.label || ': its run says of other data'
        ) as problem,
        false as is_chosen
    from arms
    inner join runs on arms.run_id = runs.run_id
    cross join definition
)

select * from final

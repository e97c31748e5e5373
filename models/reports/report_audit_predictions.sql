-- The part of reports.audit that asks whether embeddings, and predictions of the arms that stand, are of
-- the cohort, the labels and the embeddings as they are now.
-- Grain: one row per check.
{{ config(alias='audit_predictions') }}

with definition as (
    select
        cohort_hash,
        from_json(variables ->> 'fit_splits', '["varchar"]') as fit_splits
    from {{ ref('cohort_definition') }}
),

cohort as (
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

encoded as (
    select encoded.*
    from {{ source('embeddings', 'encoded') }} as encoded
    inner join definition on encoded.cohort_hash = definition.cohort_hash
),

inputs as (
    select
        inputs.*,
        arms.label
    from {{ source('results', 'run_inputs') }} as inputs
    inner join arms on inputs.run_id = arms.run_id
),

predictions as (
    select
        predictions.*,
        arms.label,
        count(*) over (partition by predictions.run_id, predictions.stay_id) as times
    from {{ source('results', 'predictions') }} as predictions
    inner join arms on predictions.run_id = arms.run_id
),

embedded as (
    select
        encoded.stay_id,
        if(cohort.stay_id is null, encoded.encoder, null) as problem,
        false as is_chosen
    from encoded
    left join cohort on encoded.stay_id = cohort.stay_id
),

predicted as (
    select
        predictions.stay_id,
        case
            when cohort.stay_id is null then predictions.label || ': not of the cohort'
            when predictions.split != cohort.split then predictions.label || ': of another split'
            when coalesce(predictions.y_true != labels.label, true) then predictions.label || ': another outcome'
            when predictions.times > 1 then predictions.label || ': predicted twice'
        end as problem,
        false as is_chosen
    from predictions
    left join cohort on predictions.stay_id = cohort.stay_id
    left join labels on predictions.stay_id = labels.stay_id and predictions.task = labels.task

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
),

in_sample as (
    select
        predictions.stay_id,
        if(
            list_contains(definition.fit_splits, predictions.split) = predictions.out_of_fold, null, predictions.label
        ) as problem,
        false as is_chosen
    from predictions
    cross join definition
),

content as (
    select
        encoder,
        task,
        -- as charthouse.predict.features has it
        md5(string_agg(stay_id || ':' || input_hash, ',' order by stay_id)) as content_hash
    from encoded
    group by encoder, task
),

read_then as (
    select distinct
        run_id,
        label,
        encoder,
        encoder_task,
        content_hash
    from inputs
),

sources as (
    select
        read_then.run_id,
        read_then.encoder,
        read_then.encoder_task,
        if(
            content.content_hash = read_then.content_hash, null, read_then.label || ': ' || read_then.encoder
        ) as problem
    from read_then
    left join content
        on read_then.encoder = content.encoder and read_then.encoder_task is not distinct from content.task
),

-- Encoders whose vectors are not what was read; and of these the stays whose vectors other runs made since.
-- Who made a vector does not matter where the same are there again.
changed as (
    select
        cast(null as integer) as stay_id,
        problem,
        false as is_chosen
    from sources

    union all

    select
        encoded.stay_id,
        sources.problem,
        false as is_chosen
    from sources
    inner join encoded on sources.encoder = encoded.encoder and sources.encoder_task is not distinct from encoded.task
    anti join inputs
        on
            sources.run_id = inputs.run_id
            and encoded.encoder = inputs.encoder
            and encoded.task is not distinct from inputs.encoder_task
            and encoded.run_id = inputs.input_run_id
    where sources.problem is not null
),

final as (
    {{ audit_checks({
        'embeddings_of_another_cohort': 'embedded',
        'predictions_of_another_cohort': 'predicted',
        'predictions_in_sample': 'in_sample',
        'predictions_of_other_embeddings': 'changed',
    }) }}
)

select * from final

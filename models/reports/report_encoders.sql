-- Table I: what each encoder is, and how much of the present cohort it has encoded. `skipped`
-- counts stays that were left without a vector; embeddings.skipped has the reason for each.
-- Grain: one row per encoder; per encoder and task if it is trained per task and has vectors for any task.
{{ config(alias='encoders') }}

with encoders as (
    select
        named.vectors as encoder,
        named.modality,
        encoders.* exclude (encoder)
    from {{ ref('encoder_modalities') }} as named
    inner join {{ ref('encoders') }} as encoders on named.encoder = encoders.encoder
),

cohort as (
    select count(*) as stays from {{ ref('cohort') }}
),

encoded as (
    select
        encoder,
        task,
        count(*) as encoded,
        0 as skipped,
        max(run_id) as last_run_id
    from {{ ref('current_vectors') }}
    group by encoder, task

    union all

    select
        encoder,
        task,
        0 as encoded,
        count(*) as skipped,
        max(run_id) as last_run_id
    from {{ ref('skipped') }}
    where item is null and {{ is_current('reads') }}
    group by encoder, task
),

progress as (
    select
        encoded.encoder,
        encoded.task,
        sum(encoded.encoded) as encoded,
        sum(encoded.skipped) as skipped,
        max(encoded.last_run_id) as last_run_id
    from encoded
    group by encoded.encoder, encoded.task
),

-- An encoder that is trained per task must be run for each task.
due as (
    select
        encoders.encoder,
        tasks.task
    from encoders
    left join (
        select distinct
            encoded.encoder,
            labels.task
        from {{ ref('encoded') }} as encoded
        cross join (select distinct task from {{ ref('labels') }}) as labels
        where encoded.task is not null
    ) as tasks on encoders.encoder = tasks.encoder
),

final as (
    select
        encoders.encoder,
        due.task,
        encoders.technique,
        encoders.modality,
        encoders.kind,
        encoders.foundation_model,
        encoders.domain,
        encoders.training_data,
        encoders.saw_mimic,
        encoders.saw_mimic_source,
        encoders.dimension,
        encoders.hub_id,
        encoders.revision,
        encoders.licence,
        encoders.citation,
        cohort.stays,
        cast(coalesce(progress.encoded, 0) as bigint) as encoded,
        cast(coalesce(progress.skipped, 0) as bigint) as skipped,
        case
            when progress.encoder is null then 'none'
            when progress.encoded + progress.skipped = cohort.stays then 'done'
            else 'part'
        end as state,
        progress.last_run_id
    from encoders
    cross join cohort
    inner join due on encoders.encoder = due.encoder
    left join progress
        on
            encoders.encoder = progress.encoder
            and due.task is not distinct from progress.task
)

select * from final
order by encoder, task

-- Table I: every encoder with what it is, and how far it has encoded the present cohort. `skipped`
-- counts stays that have no vector; embeddings.skipped says why, stay by stay.
-- Grain: one row per encoder; per encoder and task where it is trained per task and has begun for any.
{{ config(alias='encoders') }}

with encoders as (
    select * from {{ ref('encoders') }}
),

cohort as (
    select
        (select cohort_hash from {{ ref('cohort_definition') }}) as cohort_hash,
        (select count(*) from {{ ref('cohort') }}) as stays
),

encoded as (
    select
        encoder,
        task,
        cohort_hash,
        count(*) as encoded,
        0 as skipped,
        max(run_id) as last_run_id
    from {{ source('embeddings', 'encoded') }}
    group by encoder, task, cohort_hash

    union all

    select
        encoder,
        task,
        cohort_hash,
        0 as encoded,
        count(*) as skipped,
        max(run_id) as last_run_id
    from {{ source('embeddings', 'skipped') }}
    where item is null
    group by encoder, task, cohort_hash
),

progress as (
    select
        encoded.encoder,
        encoded.task,
        cohort.stays,
        sum(encoded.encoded) as encoded,
        sum(encoded.skipped) as skipped,
        max(encoded.last_run_id) as last_run_id
    from encoded
    inner join cohort on encoded.cohort_hash = cohort.cohort_hash
    group by encoded.encoder, encoded.task, cohort.stays
),

-- An encoder that is trained per task has to be done for each of them.
due as (
    select
        encoders.encoder,
        tasks.task
    from encoders
    left join (
        select distinct
            encoded.encoder,
            labels.task
        from encoded
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
        cast(coalesce(progress.stays, cohort.stays) as bigint) as stays,
        cast(coalesce(progress.encoded, 0) as bigint) as encoded,
        cast(coalesce(progress.skipped, 0) as bigint) as skipped,
        case
            when progress.encoder is null then 'none'
            when progress.encoded + progress.skipped = progress.stays then 'done'
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

-- Have embeddings been made from other inputs since they were read?
-- Grain: one row per current model and encoder that it read, and one per stay that other runs have encoded since.
with arms as (
    select
        *,
        task || ' ' || arm || ' by ' || fusion as label
    from {{ ref('report_arms') }}
),

encoded as (
    select * from {{ ref('current_vectors') }}
),

inputs as (
    select
        inputs.*,
        arms.label
    from {{ ref('run_inputs') }} as inputs
    inner join arms on inputs.run_id = arms.run_id
),

content as (
    select * from {{ ref('current_vector_hashes') }}
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

-- Each encoder, with a problem if its vectors are not those that were read; for these also the stays whose vectors
-- other runs have made since. Which run made a vector does not matter as long as all vectors are the same.
final as (
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
)

select * from final

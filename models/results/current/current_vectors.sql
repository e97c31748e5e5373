-- The vectors of the present cohort that were made from the data its stays have in the modality now.
-- Grain: one row per encoder, stay, and task where the encoder is trained per task.
{{ config(schema='embeddings') }}

with final as (
    select * from {{ ref('encoded') }}
    where {{ is_current('reads') }}
)

select * from final

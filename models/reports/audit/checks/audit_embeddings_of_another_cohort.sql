-- Do embeddings of stays outside the cohort count as current?
-- Grain: one row per encoder and stay.
with cohort as (
    select * from {{ ref('cohort') }}
),

encoded as (
    select * from {{ ref('current_vectors') }}
),

final as (
    select
        encoded.stay_id,
        if(cohort.stay_id is null, encoded.encoder, null) as problem,
        false as is_chosen
    from encoded
    left join cohort on encoded.stay_id = cohort.stay_id
)

select * from final

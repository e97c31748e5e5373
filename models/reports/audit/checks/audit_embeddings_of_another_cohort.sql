-- Do embeddings of stays outside the cohort pass for its own?
-- Grain: one row per encoder and stay.
with definition as (
    select cohort_hash from {{ ref('cohort_definition') }}
),

cohort as (
    select * from {{ ref('cohort') }}
),

encoded as (
    select encoded.*
    from {{ source('embeddings', 'encoded') }} as encoded
    inner join definition on encoded.cohort_hash = definition.cohort_hash
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

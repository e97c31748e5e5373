-- Do two splits have exactly the same vector of X-rays? The same image under two names gives the same vector.
-- Grain: one row per stay and image encoder.
with encoders as (
    select named.vectors
    from {{ ref('encoder_modalities') }} as named
    inner join {{ ref('encoders') }} as encoders on named.encoder = encoders.encoder
    where encoders.kind = 'image'
),

items as (
    select
        encoded.stay_id,
        concat_ws(' ', encoded.encoder, encoded.task, encoded.vector_hash) as item
    from {{ ref('current_vectors') }} as encoded
    semi join encoders on encoded.encoder = encoders.vectors
),

final as (
    {{ shared_by_two_splits('items') }}
)

select * from final

-- Is the same X-ray in two splits?
-- Grain: one row per stay and X-ray.
with items as (
    select
        stay_id,
        dicom_id as item
    from {{ ref('chest_xrays') }}
),

final as (
    {{ shared_by_two_splits('items') }}
)

select * from final

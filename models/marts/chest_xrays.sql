-- Chest X-rays of the cohort in the window, in the views that all image encoders read (image_views).
-- Grain: one row per stay and image.
with images as (
    select * from {{ ref('int_chest_xrays') }}
),

cohort as (
    select * from {{ ref('cohort') }}
),

final as (
    select
        images.stay_id,
        images.study_id,
        images.dicom_id,
        images.observed_at,
        images.available_at,
        images.hours,
        images.view_position,
        images.path
    from images
    inner join cohort on images.stay_id = cohort.stay_id
    where {{ in_window('images', 'cohort') }}
    order by images.stay_id, images.observed_at, images.dicom_id
)

select * from final

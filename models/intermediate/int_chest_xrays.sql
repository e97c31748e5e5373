-- Chest X-rays matched to stays: same patient, taken between the earliest of admission, ED
-- registration and ICU admission and the end of the stay. The metadata do not say when an image was
-- stored, so it counts as available from when it was taken.
-- Grain: one row per stay and image; an image may belong to two stays of one admission.
with images as (
    select * replace (nullif(upper(trim(view_position)), '') as view_position)
    from {{ ref('stg_mimic_cxr__metadata') }}
),

stays as (
    select * from {{ ref('int_stays') }}
),

final as (
    select
        stays.stay_id,
        images.study_id,
        images.dicom_id,
        images.study_at as observed_at,
        images.study_at as available_at,
        {{ hours_since('stays.intime', 'images.study_at') }} as hours,
        images.view_position,
        -- as in the JPG release, relative to CHARTHOUSE_CXR
        concat(
            'files/p', left(cast(images.subject_id as varchar), 2),
            '/p', images.subject_id, '/s', images.study_id, '/', images.dicom_id, '.jpg'
        ) as path
    from images
    inner join stays
        on
            images.subject_id = stays.subject_id
            and images.study_at >= stays.matched_from
            and images.study_at <= stays.outtime
    {%- if setting('image_views') %}
    where images.view_position in ({{ text_list(setting('image_views')) }})
    {%- endif %}
)

select * from final

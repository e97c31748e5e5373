-- Do profiles show X-rays that are not in the window?
-- Grain: one row per profile that shows an X-ray.
with profiles as (
    select * from {{ ref('patient_profiles') }}
    where latest_dicom_id is not null
),

images as (
    select * from {{ ref('chest_xrays') }}
),

final as (
    select
        profiles.stay_id,
        if(images.stay_id is null, 'X-ray that is not in marts.chest_xrays', null) as problem,
        false as is_chosen
    from profiles
    left join images on profiles.stay_id = images.stay_id and profiles.latest_dicom_id = images.dicom_id
)

select * from final

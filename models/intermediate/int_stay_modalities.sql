-- What each stay has in the window: vital signs, images, text.
-- Grain: one row per ICU stay.
{{ config(materialized='table') }}

with stays as (
    select * from {{ ref('int_stays') }}
),

vitals as (
    select distinct vitals.stay_id
    from {{ ref('int_vitals_cleaned') }} as vitals
    inner join stays on vitals.stay_id = stays.stay_id
    where vitals.value is not null and {{ in_window('vitals', 'stays') }}
),

images as (
    select distinct images.stay_id
    from {{ ref('int_images_matched') }} as images
    inner join stays on images.stay_id = stays.stay_id
    where {{ in_window('images', 'stays') }}
),

reports as (
    select distinct reports.stay_id
    from {{ ref('int_reports_matched') }} as reports
    inner join stays on reports.stay_id = stays.stay_id
    where {{ in_window('reports', 'stays') }}
),

final as (
    select
        stays.stay_id,
        vitals.stay_id is not null as has_vitals,
        images.stay_id is not null as has_image,
        reports.stay_id is not null as has_text
    from stays
    left join vitals on stays.stay_id = vitals.stay_id
    left join images on stays.stay_id = images.stay_id
    left join reports on stays.stay_id = reports.stay_id
)

select * from final

-- has_vitals, has_image and has_text choose stays and mark absence: each must say what the marts hold.
select cohort.stay_id from {{ ref('cohort') }} as cohort
where
    cohort.has_vitals != exists (select 1 from {{ ref('vitals_events') }} as rows_of where rows_of.stay_id = cohort.stay_id)
    or cohort.has_image != exists (select 1 from {{ ref('images') }} as rows_of where rows_of.stay_id = cohort.stay_id)
    or cohort.has_text != exists (select 1 from {{ ref('reports') }} as rows_of where rows_of.stay_id = cohort.stay_id)

-- The stays of the benchmark: those that no rule of the cohort drops, with their window,
-- demographics, era, modalities and split.
-- Grain: one row per ICU stay in the cohort.
with stays as (
    select * from {{ ref('int_stays') }}
),

screened as (
    select * from {{ ref('int_stays_screened') }}
    where dropped_at_step is null
),

modalities as (
    select * from {{ ref('int_stay_modalities') }}
),

final as (
    select
        stays.stay_id,
        stays.subject_id,
        stays.hadm_id,
        stays.intime,
        stays.outtime,
        stays.window_start,
        stays.window_end,
        cast(stays.age as integer) as age,
        stays.age_group,
        stays.gender,
        stays.race,
        stays.race_group,
        stays.marital_status,
        stays.language,
        stays.insurance,
        stays.first_careunit,
        stays.era_from,
        stays.era_to,
        {{ in_mimic_cxr_years('stays') }} as in_mimic_cxr_years,
        stays.los_days,
        modalities.has_vitals,
        modalities.has_image,
        modalities.has_text,
        modalities.has_vitals and modalities.has_image and modalities.has_text as is_complete,
        {{ split_of('stays') }} as split
    from stays
    inner join screened on stays.stay_id = screened.stay_id
    inner join modalities on stays.stay_id = modalities.stay_id
    order by stays.stay_id
)

select * from final

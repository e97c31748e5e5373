-- The stays of the benchmark: those that no rule of the cohort drops, with their window,
-- demographics, era, modalities and split.
-- Grain: one row per ICU stay in the cohort.
{%- set in_paper = modalities() | selectattr('in_paper', 'defined') | map(attribute='name') | list %}
with stays as (
    select * from {{ ref('int_stays') }}
),

screened as (
    select * from {{ ref('int_stays_screened') }}
    where dropped_at_step is null
),

modalities as (
    select
        stay_id,
        {%- for name in in_paper %}
        bool_or(in_window) filter (where modality = '{{ name }}') as has_{{ name }},
        {%- endfor %}
        bool_and(in_window) filter (where modality in ({{ text_list(in_paper) }})) as is_complete
    from {{ ref('int_stay_modalities') }}
    group by stay_id
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
        {%- for name in in_paper %}
        coalesce(modalities.has_{{ name }}, false) as has_{{ name }},
        {%- endfor %}
        coalesce(modalities.is_complete, false) as is_complete,
        {{ split_of('stays') }} as split
    from stays
    inner join screened on stays.stay_id = screened.stay_id
    left join modalities on stays.stay_id = modalities.stay_id
    order by stays.stay_id
)

select * from final

-- Do rows of earlier admissions belong to the present one, or to one that had not ended when it began? Diagnoses are coded
-- after discharge: those of the present admission reveal the outcome.
-- Grain: one row per row of the mart of a modality with before_admission.
{%- set earlier = modalities() | selectattr('before_admission', 'defined') | list %}
with cohort as (
    select * from {{ ref('cohort') }}
),

stays as (
    select * from {{ ref('int_stays') }}
),

found as (
    {%- for modality in earlier %}
    select
        '{{ modality.name }}' as modality,
        stay_id,
        hadm_id,
        observed_at,
        available_at
    from {{ ref(modality.rows) }}
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
),

final as (
    select
        found.stay_id,
        found.modality || ' ' || case
            when cohort.stay_id is null then 'not of the cohort'
            when found.hadm_id = cohort.hadm_id then 'of the present admission'
            when not coalesce(found.observed_at <= stays.admittime, false) then 'of an admission that had not ended'
            when not coalesce(found.available_at <= stays.admittime, false) then 'not known at admission'
        end as problem,
        false as is_chosen
    from found
    left join cohort on found.stay_id = cohort.stay_id
    left join stays on found.stay_id = stays.stay_id
)

select * from final

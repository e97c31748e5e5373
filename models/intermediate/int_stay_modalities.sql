-- Which modalities each stay has in the window.
-- Grain: one row per ICU stay and modality (vars.modalities), except modalities that every stay has.
{{ config(materialized='table') }}
{%- set matched = modalities() | selectattr('matched', 'defined') | list %}

with stays as (
    select * from {{ ref('int_stays') }}
),
{% for modality in matched %}
{{ modality.name }} as (
    select distinct found.stay_id
    from {{ ref(modality.matched) }} as found
    inner join stays on found.stay_id = stays.stay_id
    where {{ modality.counts or 'true' }} and {{ in_window('found', 'stays') }}
),
{% endfor %}
final as (
    {%- for modality in matched %}
    select
        stays.stay_id,
        '{{ modality.name }}' as modality,
        {{ modality.name }}.stay_id is not null as in_window
    from stays
    left join {{ modality.name }} on stays.stay_id = {{ modality.name }}.stay_id
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
)

select * from final

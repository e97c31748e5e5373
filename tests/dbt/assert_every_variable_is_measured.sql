-- A variable without any measurement consists of imputed values only: probably a wrong itemid in the seed, but
-- it may be chance in a small cohort, or the file has none, so it only warns.
{{ config(severity='warn') }}
{%- set grids = modalities() | selectattr('grid', 'defined') | list %}
{% for modality in grids %}
select distinct seed.variable
from {{ ref(modality.seed) }} as seed
anti join {{ ref(modality.rows) }} as events on seed.variable = events.variable
{%- if not loop.last %}

union all
{% endif %}
{%- endfor %}

-- A variable that nobody has measured is nothing but fill: a wrong itemid in the seed, unless the cohort is
-- small or the file has none of it, so it only warns.
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

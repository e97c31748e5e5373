-- These flags select stays and mark missing modalities, so each must agree with the rows in the marts.
{%- for modality in modalities() if modality.matched %}
select
    stays.stay_id,
    stays.modality
from {{ ref('stay_modalities') }} as stays
where
    stays.modality = '{{ modality.name }}'
    and stays.in_window
    != exists (select 1 from {{ ref(modality.rows) }} as rows_of where rows_of.stay_id = stays.stay_id)
{{ 'union all' if not loop.last }}
{%- endfor %}

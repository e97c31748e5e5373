{#- Rows that were looked at, counted: one row per check. `checks` names for each check the relation with
    one row per thing looked at: stay_id (null where no stay is to blame), problem (null where there is
    none; never text of a patient) and is_chosen (a setting asks for just this). -#}
{% macro audit_checks(checks) -%}
{%- for name, rows in checks.items() %}
select
    {{ text_literal(name) }} as check_name,
    count(*) as checked,
    {%- for kind, is_kind in [('failed', 'not is_chosen'), ('chosen', 'is_chosen')] %}
    {%- set filter = 'filter (where problem is not null and ' ~ is_kind ~ ')' %}
    count(*) {{ filter }} as {{ kind }},
    count(distinct stay_id) {{ filter }} as {{ kind }}_stays,
    list(distinct stay_id order by stay_id) {{ filter | replace(')', ' and stay_id is not null)') }} as {{ kind }}_stay_ids,
    string_agg(distinct problem, ', ' order by problem) {{ filter }} as {{ kind }}_detail{{ ',' if not loop.last }}
    {%- endfor %}
from {{ rows }}
{{ 'union all' if not loop.last }}
{%- endfor %}
{%- endmacro %}

{#- The rows of a table of results that are of current arms, with cohort, protocol and whether the data are
    synthetic. `also` is the column of a second run that must be current: that of the other arm. -#}
{% macro of_current_arms(table, also=none) -%}
with arms as (
    select * from {{ ref('report_arms') }}
),

found as (
    select found.*
    from {{ ref(table) }} as found
    inner join {{ ref('current_evaluations') }} as evaluated
        on found.evaluation_run_id = evaluated.run_id and found.population = evaluated.population
),

final as (
    select
        found.*,
        {%- if also %}
        arms.saw_mimic,
        others.saw_mimic as other_saw_mimic,
        {%- endif %}
        arms.cohort_hash,
        arms.protocol,
        arms.is_synthetic
    from found
    inner join arms on found.run_id = arms.run_id
    {%- if also %}
    inner join arms as others on found.{{ also }} = others.run_id
    {%- endif %}
)

select * from final
{%- endmacro %}

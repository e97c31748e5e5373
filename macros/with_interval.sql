{#- An estimate formatted for tables: 0.8544 [0.8453, 0.8631]; 0.9608 (no interval) without an interval, null
    without a value. -#}
{% macro with_interval(relation, value, low, high) -%}
    {%- set value = relation ~ '.' ~ value -%}
    coalesce(
            printf('%.4f [%.4f, %.4f]', {{ value }}, {{ relation }}.{{ low }}, {{ relation }}.{{ high }}),
            printf('%.4f (no interval)', {{ value }})
        )
{%- endmacro %}

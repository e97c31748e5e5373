{#- An estimate as tables print it: 0.8544 [0.8453, 0.8631]; 0.9608 (no interval) where it has none, null
    where it has no value. -#}
{% macro with_interval(relation, value, low, high) -%}
    {%- set value = relation ~ '.' ~ value -%}
    coalesce(
            printf('%.4f [%.4f, %.4f]', {{ value }}, {{ relation }}.{{ low }}, {{ relation }}.{{ high }}),
            printf('%.4f (no interval)', {{ value }})
        )
{%- endmacro %}

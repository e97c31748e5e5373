{#- An estimate as tables print it: 0.8544 [0.8453, 0.8631]; without brackets where it has no interval,
    null where it has no value. -#}
{% macro with_interval(relation, value, low, high) -%}
    {%- set value = relation ~ '.' ~ value -%}
    coalesce(
            printf('%.4f [%.4f, %.4f]', {{ value }}, {{ relation }}.{{ low }}, {{ relation }}.{{ high }}),
            printf('%.4f', {{ value }})
        )
{%- endmacro %}

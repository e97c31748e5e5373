{#- The tasks of vars.tasks: name as in marts.labels, and model. A name may hold the value of a setting:
    icu_stay_over_{los_threshold_days}_days. -#}
{% macro tasks() %}
    {%- set found = [] -%}
    {%- for task in var('tasks') -%}
        {%- set settings = modules.re.findall('[{](.*?)[}]', task.name) -%}
        {%- set named = namespace(name=task.name) -%}
        {%- for name in settings -%}
            {%- set named.name = named.name | replace('{' ~ name ~ '}', setting(name) | string) -%}
        {%- endfor -%}
        {%- do found.append({'name': named.name, 'model': task.model}) -%}
    {%- endfor -%}
    {{ return(found) }}
{% endmacro %}

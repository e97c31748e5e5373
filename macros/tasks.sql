{#- The tasks of vars.tasks: name as in marts.labels, and model. A name may contain the value of a setting:
    icu_stay_over_{los_threshold_days}_days. -#}
{% macro tasks() %}
    {%- set found = [] -%}
    {%- for task in var('tasks') -%}
        {%- if task.name is not string or task.model is not string or not modules.re.fullmatch('[a-z][a-z0-9_{}]*', task.name) -%}
            {{ stop('dbt_project.yml, vars.tasks: ' ~ task ~ ' is no row with a name in small letters and a model. docs/how-to/add-a-task.md shows one.') }}
        {%- elif var('tasks') | selectattr('model', 'equalto', task.model) | list | length > 1 -%}
            {{ stop('dbt_project.yml, vars.tasks: ' ~ task.model ~ ' is the model of two tasks. Give each its own.') }}
        {%- endif -%}
        {%- set settings = modules.re.findall('[{](.*?)[}]', task.name) -%}
        {%- set named = namespace(name=task.name) -%}
        {%- for name in settings -%}
            {%- set named.name = named.name | replace('{' ~ name ~ '}', setting(name) | string) -%}
        {%- endfor -%}
        {%- do found.append({'name': named.name, 'model': task.model}) -%}
    {%- endfor -%}
    {{ return(found) }}
{% endmacro %}

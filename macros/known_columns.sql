{#- A post-hook of seeds/tabular_variables.csv: its columns become features, so they must be known
    before any outcome. _marts__models.yml marks those that are (known: at admission). -#}
{% macro stop_at_unknown_columns(seed) %}
    {%- if execute -%}
        {%- set known = [] -%}
        {%- for column in graph.nodes['model.' ~ project_name ~ '.cohort'].columns.values() if column.config.meta.known -%}
            {%- do known.append(column.name) -%}
        {%- endfor -%}
        {%- do stop_at_rows(
            'select variable from ' ~ seed ~ ' where variable is null or variable not in (' ~ text_list(known) ~ ')',
            'seeds/tabular_variables.csv: a variable is no column of marts.cohort that is known at admission',
            'Name one of ' ~ known | join(', ') ~ '.'
        ) -%}
    {%- endif -%}
{% endmacro %}

{#- The rows of vars.modalities, validated for every caller: for a wrong row, dbt's own message would only
    name some ref or type. -#}
{% macro modalities() %}
    {%- set known = ['name', 'kind', 'rows', 'grid', 'seed', 'item', 'matched', 'counts', 'profile', 'heading', 'slot', 'in_paper'] -%}
    {%- set rows = var('modalities') -%}
    {%- for row in rows -%}
        {%- set where = 'dbt_project.yml, vars.modalities, row ' ~ loop.index ~ ': ' -%}
        {%- set mend = ' docs/how-to/add-a-modality.md shows a row.' -%}
        {%- if row is not mapping or row.name is not string or not modules.re.fullmatch('[a-z][a-z0-9_]*', row.name) -%}
            {{ stop(where ~ 'has no name in small letters.' ~ mend) }}
        {%- elif rows | selectattr('name', 'equalto', row.name) | list | length > 1 -%}
            {{ stop(where ~ row.name ~ ' occurs twice. Give each its own name.') }}
        {%- elif row.kind not in var('modality_kinds') -%}
            {{ stop(where ~ row.name ~ ' is of kind ' ~ row.kind ~ ', none of ' ~ var('modality_kinds') | join(', ') ~ '.' ~ mend) }}
        {%- endif -%}
        {%- for key in row if key not in known -%}
            {{ stop(where ~ row.name ~ ' has ' ~ key ~ ', none of ' ~ known | join(', ') ~ '.' ~ mend) }}
        {%- endfor -%}
        {%- for key in ['rows', 'grid', 'seed', 'matched', 'profile'] if (key == 'rows' or key in row) and row[key] is not string -%}
            {{ stop(where ~ row.name ~ ' needs the name of a model or seed as ' ~ key ~ '.' ~ mend) }}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(rows) }}
{% endmacro %}

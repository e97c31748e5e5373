{#- on-run-start: a run of selected models reads others, which must exist in the warehouse. DuckDB's own error
    names the missing table, but not what to do. -#}
{% macro check_parents() %}
    {%- if not execute -%}{{ return('') }}{%- endif -%}
    {%- set there = run_query(
        "select schema_name || '.' || table_name from duckdb_tables() where database_name = current_database()"
        ~ " union all select schema_name || '.' || view_name from duckdb_views() where database_name = current_database()"
    ).rows | map(attribute=0) | list -%}
    {%- set absent, readers = [], [] -%}
    {%- for id in selected_resources -%}
        {%- for parent in parents_of(id) if parent.unique_id not in selected_resources and parent.schema ~ '.' ~ parent.alias not in there -%}
            {%- do absent.append(parent.schema ~ '.' ~ parent.alias) -%}
            {%- do readers.append(id.split('.')[2]) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- if absent -%}
        {%- set absent = absent | unique | sort -%}
        {{ stop(
            'What is selected reads what the warehouse does not hold: ' ~ absent[:3] | join(', ')
            ~ (' and ' ~ (absent | length - 3) ~ ' more' if absent | length > 3 else '') ~ ' (' ~ readers | sort | first
            ~ ' does). Build all first (dbt build without --select); or add --indirect-selection buildable, and a + before each name.'
        ) }}
    {%- endif -%}
{% endmacro %}


{#- The models and seeds that a node reads. For a unit test, those of its model: dbt runs it on given rows, but
    looks up their columns in the warehouse. -#}
{% macro parents_of(id) %}
    {%- set node = graph.nodes.get('model.' ~ id.split('.')[1:3] | join('.') if id.startswith('unit_test.') else id, {}) -%}
    {%- set parents = [] -%}
    {%- for parent in node.get('depends_on', {}).get('nodes', []) if parent in graph.nodes -%}
        {%- do parents.append(graph.nodes[parent]) -%}
    {%- endfor -%}
    {{ return(parents) }}
{% endmacro %}

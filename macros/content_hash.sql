{#- A hash of rows that any engine can compute. Each row becomes a text: its columns in declared order, joined by
    |; doubles as whole millionths, times as 2150-01-31 08:05:00, true and false, missing values as the empty
    string, free text as its md5. The last 8 bytes of the md5 of that text are read as a little-endian integer; the
    hash is the number of rows, a colon, and the sum of these integers. A sum does not depend on the order of the
    rows, and unlike XOR does not cancel a row that occurs twice.
    Columns with hashed: false in their meta are left out, and structs. -#}
{% macro rows_hash(relation) %}
    {%- set node = graph.nodes.values() | selectattr('resource_type', 'in', ['model', 'seed']) | selectattr('name', 'equalto', relation) | first if execute else none -%}
    {%- set texts = [] -%}
    {%- for column in (node.columns.values() if node else []) if column.config.meta.get('hashed', true) -%}
        {%- set type = (column.data_type or node.config.get('column_types', {}).get(column.name) or 'varchar') | lower -%}
        {%- if '(' not in type -%}
            {%- set as_text = {
                'double': 'cast(floor(' ~ column.name ~ ' * 1000000 + 0.5) as bigint)',
            }.get(type, 'md5(' ~ column.name ~ ')' if column.config.meta.get('free_text') else column.name) -%}
            {%- do texts.append("coalesce(cast(" ~ as_text ~ " as varchar), '')") -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return("concat(count(*), ':', sum(cast(md5_number_lower(concat_ws('|', " ~ (texts or ["''"]) | join(', ') ~ ")) as hugeint)))") }}
{% endmacro %}


{#- Whether everything that was read is still what the marts hold; reads is a column such as results.runs.reads. -#}
{% macro is_current(reads) -%}
list_has_all(
    (select list(concat_ws(' ', kind, name, content_hash)) from {{ ref('content_hashes') }}), {{ reads }}
)
{%- endmacro %}

{#- A hash of rows that any engine can compute. Each row becomes a text: its columns in declared order, joined by
    |; numbers as whole millionths, times as 2150-01-31 08:05:00, true and false, what is missing as nothing, free
    text as its md5. The last 8 bytes of the text's md5 are a whole number, little-endian; the hash is the count
    of the rows, a colon, and the sum of these. A sum, so that no order counts, and a row that stands twice is not
    one that stands nowhere.
    Left out are columns whose meta says hashed: false, and what is no single value. -#}
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


{#- Whether all that was read is still what the marts hold: a column of results like results.runs.reads. -#}
{% macro is_current(reads) -%}
list_has_all(
    (select list(concat_ws(' ', kind, name, content_hash)) from {{ ref('content_hashes') }}), {{ reads }}
)
{%- endmacro %}

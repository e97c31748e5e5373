-- Every column that a contract or the yml of a seed declares, and whether it holds free text. A published copy of
-- real patients leaves out free text and every undeclared column. Taken from the yml that the build read.
-- Grain: one row per schema, table and column.
{{ config(materialized='view') }}
{%- set rows = [] %}
{%- for node in graph.nodes.values() if node.resource_type == 'seed' or (node.resource_type == 'model' and node.config.contract.enforced) %}
{%- for column in node.columns.values() %}
{%- do rows.append([node.schema, node.alias, column.name, column.config.meta.get('free_text', false)]) %}
{%- endfor %}
{%- endfor %}

with final as (
    select
        cast(schema_name as varchar) as schema_name,
        cast(table_name as varchar) as table_name,
        cast(column_name as varchar) as column_name,
        cast(is_free_text as boolean) as is_free_text
    from (
        values
        {%- for row in rows or [['', '', '', false]] %}
        ('{{ row[:3] | join("', '") }}', {{ row[3] | lower }}){{ ',' if not loop.last }}
        {%- endfor %}
    ) as declared(schema_name, table_name, column_name, is_free_text)
)

select * from final

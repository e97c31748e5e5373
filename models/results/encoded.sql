-- Which stays each encoder has encoded: a union of all tables of vectors. charthouse.jobs.embed.store recreates it
-- when it creates such a table, since the length of the vectors is known only there. vector_hash is computed only if
-- it is queried.
-- Grain: one row per encoder, stay, and task where the encoder is trained per task.
{{ config(materialized='view') }}
{%- set tables = run_query(
    "select table_name as name, bool_or(column_name = 'task') as has_task from duckdb_columns()"
    ~ " where database_name = current_database() and schema_name = 'embeddings'"
    ~ " group by table_name having bool_or(column_name = 'embedding') order by table_name"
).rows if execute else [] %}

{%- for table in tables %}
select
    '{{ table['name'] }}' as encoder,
    {{ 'task' if table['has_task'] else 'null::varchar' }} as task,
    stay_id,
    input_hash,
    reads,
    run_id,
    embedding::float[] as vector,
    hash(embedding) as vector_hash
from embeddings."{{ table['name'] }}"
union all
{%- endfor %}
select
    null::varchar as encoder,
    null::varchar as task,
    null::integer as stay_id,
    null::varchar as input_hash,
    null::varchar[] as reads,
    null::varchar as run_id,
    null::float[] as vector,
    null::ubigint as vector_hash
where false

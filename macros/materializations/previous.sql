{#- A failed run must leave the warehouse as it was. Each table that a run replaces is therefore only
    renamed, to <name>__previous, in the transaction that makes its successor; the end of the run
    drops the previous ones (all went well) or puts them back (something failed). A run that was
    killed before its end is put right at the start of the next. Renames cost nothing at any size. -#}

{% macro set_aside(relation) %}
    {%- if relation is not none -%}
        {%- set kind = 'view' if relation.is_view else 'table' -%}
        {%- call statement('set_aside') -%}
            alter {{ kind }} {{ relation }} rename to {{ relation.identifier }}__previous
        {%- endcall -%}
    {%- endif -%}
{% endmacro %}


{#- The tables set aside by a run: schema, name (of the successor), full_name (of the previous). -#}
{% macro previous_tables() %}
    {{ return(run_query(
        "select schema_name as schema, left(table_name, -length('__previous')) as name"
        ~ " from duckdb_tables() where table_name like '%\\_\\_previous' escape '\\' order by all"
    ).rows) }}
{% endmacro %}


{#- Puts every table back that a run had set aside, all or none. -#}
{% macro restore_previous() %}
    {%- if execute -%}
        {%- set statements = [] -%}
        {%- for table in previous_tables() -%}
            {%- set full_name = '"' ~ table['schema'] ~ '"."' ~ table['name'] -%}
            {%- do statements.append('drop table if exists ' ~ full_name ~ '"') -%}
            {%- do statements.append('alter table ' ~ full_name ~ '__previous" rename to "' ~ table['name'] ~ '"') -%}
        {%- endfor -%}
        {%- do in_one_transaction(statements) -%}
    {%- endif -%}
{% endmacro %}


{% macro drop_previous() %}
    {%- set statements = [] -%}
    {%- for table in previous_tables() -%}
        {%- do statements.append('drop table "' ~ table['schema'] ~ '"."' ~ table['name'] ~ '__previous"') -%}
    {%- endfor -%}
    {%- do in_one_transaction(statements) -%}
{% endmacro %}


{% macro in_one_transaction(statements) %}
    {%- if statements -%}
        {%- do run_query('begin') -%}
        {%- for statement in statements -%}{%- do run_query(statement) -%}{%- endfor -%}
        {%- do run_query('commit') -%}
    {%- endif -%}
{% endmacro %}


{#- on-run-end: what a run made stays only if all of it succeeded, tests included. -#}
{% macro keep_or_restore(results) %}
    {%- if execute -%}
        {%- if results | selectattr('status', 'in', ['error', 'fail', 'runtime error']) | list -%}
            {%- do restore_previous() -%}
        {%- else -%}
            {%- do drop_previous() -%}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}

{#- A failed run must leave the warehouse as it was. Each relation that a run replaces is therefore
    only renamed, to <name>__previous, in the transaction that makes its successor; the end of the run
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


{#- The relations set aside by a run: schema, name (of the successor), kind, kind of the successor. Only
    in the schemas of this project: a table of a user's own may end in __previous. -#}
{% macro previous_relations() %}
    {%- set schemas = [] -%}
    {%- for node in graph.nodes.values() if node.resource_type in ['model', 'seed'] -%}
        {%- do schemas.append(node.schema) -%}
    {%- endfor -%}
    {{ return(run_query(
        "with relations as ("
        ~ " select schema_name as schema, table_name as name, 'table' as kind from duckdb_tables() where database_name = current_database()"
        ~ " union all select schema_name, view_name, 'view' from duckdb_views()"
        ~ " where not internal and database_name = current_database()"
        ~ ") select previous.schema, successor.name, previous.kind, successor.kind as successor_kind"
        ~ " from relations as previous inner join relations as successor"
        ~ " on previous.schema = successor.schema and previous.name = successor.name || '__previous'"
        ~ " where previous.schema in (" ~ text_list(schemas | unique) ~ ")"
        ~ " order by all"
    ).rows) }}
{% endmacro %}


{#- Puts every relation back that a run had set aside, all or none, and drops what it made beside them.
    A raw copy that is the first of its file stays, it is whole; one that took the place of an older copy
    goes, since the marts that are put back, and their word that they are synthetic, are of the older. -#}
{% macro restore_previous(results=[]) %}
    {%- if execute -%}
        {%- set statements = [] -%}
        {%- set replaced = [] -%}
        {%- for row in previous_relations() -%}
            {%- do replaced.append((row['schema'], row['name'])) -%}
            {%- set successor = full_name(row['schema'], row['name']) -%}
            {%- set previous = full_name(row['schema'], row['name'] ~ '__previous') -%}
            {%- do statements.append('drop ' ~ row['successor_kind'] ~ ' ' ~ successor) -%}
            {%- do statements.append('alter ' ~ row['kind'] ~ ' ' ~ previous ~ ' rename to "' ~ row['name'] ~ '"') -%}
        {%- endfor -%}
        {%- for result in results if result.status == 'success' and result.node.config.materialized in ['table', 'view', 'seed'] -%}
            {%- if (result.node.schema, result.node.alias) not in replaced -%}
                {%- set kind = 'view' if result.node.config.materialized == 'view' else 'table' -%}
                {%- do statements.append('drop ' ~ kind ~ ' ' ~ full_name(result.node.schema, result.node.alias)) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- do in_one_transaction(statements) -%}
    {%- endif -%}
{% endmacro %}


{% macro drop_previous() %}
    {%- set statements = [] -%}
    {%- for row in previous_relations() -%}
        {%- do statements.append('drop ' ~ row['kind'] ~ ' ' ~ full_name(row['schema'], row['name'] ~ '__previous')) -%}
    {%- endfor -%}
    {%- do in_one_transaction(statements) -%}
{% endmacro %}


{#- With its database, as dbt itself names relations. -#}
{% macro full_name(schema, name) %}
    {{ return('"' ~ target.database ~ '"."' ~ schema ~ '"."' ~ name ~ '"') }}
{% endmacro %}


{% macro in_one_transaction(statements) %}
    {%- if statements -%}
        {%- do run_query('begin') -%}
        {%- for statement in statements -%}{%- do run_query(statement) -%}{%- endfor -%}
        {%- do run_query('commit') -%}
    {%- endif -%}
{% endmacro %}


{#- on-run-end: what a run made stays only if all of it succeeded, tests included, and if it can stand
    beside what the run has not made. -#}
{% macro keep_or_restore(results) %}
    {%- if execute -%}
        {%- if results | selectattr('status', 'in', ['error', 'fail', 'runtime error']) | list -%}
            {%- do release_reserve() -%}
            {%- do restore_previous(results) -%}
        {%- else -%}
            {%- set refusal = of_another_kind() -%}
            {%- if refusal -%}
                {%- do restore_previous(results) -%}
                {{ stop(refusal) }}
            {%- endif -%}
            {%- do drop_previous() -%}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}


{#- Even a rename needs a few bytes of log, and a run may have failed because the disk is full: the
    file that charthouse.dbt_plugin keeps back for this is emptied. -#}
{% macro release_reserve() %}
    {%- do run_query(
        'copy (select 1 where false) to ' ~ text_literal(target.path ~ '.reserve')
        ~ ' (format csv, header false, use_tmp_file false)'
    ) -%}
{% endmacro %}

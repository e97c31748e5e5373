{#- Take the place of dbt-duckdb's own: one transaction sets the old relation aside, makes the new one
    and runs its post-hooks; the old one lives until the run has succeeded (previous.sql). -#}
{% materialization table, adapter='duckdb' %}
    {%- set relation = replace_relation('table', sql) -%}
    {{ adapter.commit() }}
    {{ return({'relations': [relation]}) }}
{% endmaterialization %}


{% materialization view, adapter='duckdb' %}
    {%- set relation = replace_relation('view', sql) -%}
    {{ adapter.commit() }}
    {{ return({'relations': [relation]}) }}
{% endmaterialization %}


{#- The whole of it but for the commit; also the heart of raw_copy. A table's comment ends with a hash of
    its query: so `charthouse audit` sees whether the project's SQL has changed since. -#}
{% macro replace_relation(kind, sql) %}
    {%- set target_relation = this.incorporate(type=kind) -%}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- do set_aside(load_cached_relation(this)) -%}
    {% call statement('main') -%}
        {{ create_view_as(target_relation, sql) if kind == 'view' else create_table_as(False, target_relation, sql) }}
    {%- endcall %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do persist_docs(target_relation, model) -%}
    {%- if kind == 'table' and model.config.materialized != 'raw_copy' -%}
        {%- do run_query(alter_relation_comment(target_relation, model.description ~ '\n\nMade by query ' ~ asked_of(sql) ~ '.')) -%}
    {%- endif -%}
    {{ return(target_relation) }}
{% endmacro %}


{#- A hash of a query, without the name of the database, which is that of the warehouse's file. -#}
{% macro asked_of(sql) %}
    {{ return(local_md5(sql | replace('"' ~ this.database ~ '".', ''))) }}
{% endmacro %}


{#- Seeds too: a run that fails because of an edited seed leaves the seed's table as it was. -#}
{% materialization seed, adapter='duckdb' %}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set rows = load_agate_table() -%}
    {%- do store_result('agate_table', response='OK', agate_table=rows) -%}

    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- do set_aside(load_cached_relation(this)) -%}
    {%- set create = create_csv_table(model, rows) -%}
    {%- set insert = load_csv_rows(model, rows) -%}
    {%- set count = rows.rows | length -%}
    {% call noop_statement('main', 'INSERT ' ~ count, 'INSERT', count) -%}
        {{ create }};
        {{ insert }}
    {%- endcall %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do persist_docs(target_relation, model) -%}
    {{ adapter.commit() }}

    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

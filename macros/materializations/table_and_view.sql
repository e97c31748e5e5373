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


{#- The whole of it but for the commit; also the heart of raw_copy. -#}
{% macro replace_relation(kind, sql) %}
    {%- set target_relation = this.incorporate(type=kind) -%}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- do set_aside(load_cached_relation(this)) -%}
    {% call statement('main') -%}
        {{ create_view_as(target_relation, sql) if kind == 'view' else create_table_as(False, target_relation, sql) }}
    {%- endcall %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do persist_docs(target_relation, model) -%}
    {{ return(target_relation) }}
{% endmacro %}

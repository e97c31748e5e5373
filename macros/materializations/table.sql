{#- Takes the place of dbt-duckdb's own: one transaction sets the old table aside, makes the new one
    and runs its post-hooks; the old one lives until the run has succeeded (previous.sql). -#}
{% materialization table, adapter='duckdb' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_table = this.incorporate(type='table') -%}

    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- do set_aside(existing) -%}
    {% call statement('main') -%}
        {{ create_table_as(False, target_table, sql) }}
    {%- endcall %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do persist_docs(target_table, model) -%}
    {{ adapter.commit() }}

    {{ return({'relations': [target_table]}) }}
{% endmaterialization %}

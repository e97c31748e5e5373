{#- A table read from a raw file once: the file is read again only if its content has changed, or what is selected
    from it (the compiled SQL, the declared columns, the seeds it reads). The comment of the table records what
    decides this, and moves with the table: the file's origin, a hash of the query, the SHA-256 of what was read,
    and the kind of data (data_kind.sql). A copy made by a build that failed is reused
    (charthouse.data.atomic_build). -#}
{% materialization raw_copy, adapter='duckdb' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set node = raw_source(model) -%}
    {%- set file = raw_file(node) -%}
    {%- set query = 'Query ' ~ raw_query(node, sql) ~ '.' -%}
    {%- set relation = this.incorporate(type='table') -%}
    {%- set kept = this.incorporate(path={'database': 'raw copies/kept'}) -%}
    {%- set there = [] -%}
    {%- for copy in [this, kept] if not should_full_refresh() -%}
        {%- set comment = table_comment(copy) -%}
        {%- if query in comment and of_raw_file('is_raw_origin', node, comment) -%}{%- do there.append(copy) -%}{%- endif -%}
    {%- endfor -%}

    {%- if there -%}
        {%- do log('  unchanged, not read again: ' ~ (file.path or node.source_meta.root ~ ' (not set)'), info=True) -%}
        {%- set sha256 = sha256_in(table_comment(there[0])) -%}
    {%- endif -%}
    {%- if there and there[0] == this -%}
        {%- call statement('main') -%}
            select 1 as unchanged
        {%- endcall -%}
    {%- else -%}
        {{ run_hooks(pre_hooks) }}
        {%- do drop_relation_if_exists(existing) -%}
        {%- call statement('main') -%}
            {{ create_table_as(False, relation, 'select * from ' ~ kept if there else sql) }}
        {%- endcall -%}
        {{ run_hooks(post_hooks) }}
        {%- if file.path -%}{%- do stop_at_no_rows(relation, node, file.path) -%}{%- endif -%}
        {%- if not there -%}{%- set sha256 = of_raw_file('raw_sha256', node) -%}{%- endif -%}
    {%- endif -%}
    {%- do persist_docs(relation, model) -%}
    {%- set kind = kind_of_copy(node, file.path, sha256, relation) -%}
    {%- do run_query(alter_relation_comment(relation, (model.description ~ '\n\n' ~ file.origin ~ ' ' ~ query ~ sha256_words(sha256) ~ '\n' ~ kind) | trim)) -%}
    {{ adapter.commit() }}

    {{ return({'relations': [relation]}) }}
{% endmaterialization %}


{#- A hash of what is selected from a raw file; of the seeds, only the columns that the query names. -#}
{% macro raw_query(node, sql) %}
    {%- set parts = [asked_of(sql)] -%}
    {%- for column in node.columns.values() -%}{%- do parts.append(column.name ~ ' ' ~ column.data_type) -%}{%- endfor -%}
    {%- for id in model.depends_on.nodes if id.startswith('seed.') -%}
        {%- set named = 'row(' ~ graph.nodes[id].columns.keys() | select('in', sql) | join(', ') ~ ')' -%}
        {%- do parts.append(run_query('select md5(list(distinct ' ~ named ~ ' order by ' ~ named ~ ')::varchar) from ' ~ graph.nodes[id].relation_name).rows[0][0]) -%}
    {%- endfor -%}
    {{ return(local_md5(parts | join('; '))) }}
{% endmacro %}


{#- Also for views: the audit replaces the copies by views. -#}
{% macro table_comment(relation) %}
    {%- set found = run_query(
        "select comment from duckdb_tables() where database_name = '" ~ relation.database ~ "' and schema_name = '" ~ relation.schema
        ~ "' and table_name = '" ~ relation.identifier ~ "'"
        ~ " union all select comment from duckdb_views() where database_name = '" ~ relation.database ~ "' and schema_name = '"
        ~ relation.schema ~ "' and view_name = '" ~ relation.identifier ~ "'"
    ).rows -%}
    {{ return(found[0][0] or '' if found | length else '') }}
{% endmacro %}

{#- A table read from a raw file, once: it is read again only when the file (path, bytes, time of last
    change) or what we want of it (the compiled SQL, the declared columns) has changed. The fingerprint
    of both stands in the table's comment, so it goes wherever the table goes; after it the SHA-256 of
    what was read, and what kind of data that is (data_kind.sql).
    The model selects from its source as any other would; here the source becomes the file. -#}
{% materialization raw_copy, adapter='duckdb' %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set node = raw_source(model) -%}
    {%- set path = raw_path(node) -%}
    {%- set origin = raw_origin(node, path, sql) -%}
    {%- set before = table_comment(this) if existing is not none else '' -%}
    {%- set sha256 = sha256_in(before) -%}

    {%- if origin in before and (sha256 or path is none) and not should_full_refresh() -%}
        {%- call statement('main') -%}
            select 1 as unchanged
        {%- endcall -%}
        {%- do log('  unchanged, not read again: ' ~ (path or node.source_meta.root ~ ' (not set)'), info=True) -%}
    {%- else -%}
        {%- do run_query('select open_raw(' ~ text_literal(raw_table(node)) ~ ', ' ~ text_literal(path or '') ~ ')') -%}
        {%- set relation = replace_relation('table', sql | replace(node.relation_name, raw_view(node))) -%}
        {%- if path is not none and not flags.EMPTY -%}
            {%- do stop_at_refusal(node) -%}
            {%- do stop_at_no_rows(relation, node, path) -%}
        {%- endif -%}
        {%- set sha256 = raw_sha256(node, path) -%}
    {%- endif -%}
    {%- set relation = this.incorporate(type='table') -%}
    {%- do persist_docs(relation, model) -%}
    {%- set kind = kind_of_copy(node, path, sha256, relation) -%}
    {%- do run_query(alter_relation_comment(relation, (model.description ~ '\n\n' ~ origin ~ sha256_words(sha256) ~ '\n' ~ kind) | trim)) -%}
    {{ adapter.commit() }}

    {{ return({'relations': [relation]}) }}
{% endmaterialization %}


{#- One line that says what a raw_copy holds: the file as it was, and a hash of what was asked of it. -#}
{% macro raw_origin(node, path, sql) %}
    {%- set columns = node.columns.values() -%}
    {#- without the name of the database, which is that of the warehouse's file -#}
    {%- set asked = local_md5(
        sql | replace(node.relation_name, node.unique_id) | replace('"' ~ this.database ~ '".', '')
        ~ columns | map(attribute='name') | join(' ') ~ columns | map(attribute='data_type') | join(' ')
    ) -%}
    {%- if path is none -%}
        {{ return('Source not set; rows none; query ' ~ asked ~ '.') }}
    {%- endif -%}
    {%- set file = run_query(
        'select size, epoch_us(last_modified) as modified from read_blob(' ~ text_literal(path) ~ ')'
    ).rows[0] -%}
    {{ return('Read from ' ~ path ~ '; bytes ' ~ file['size'] ~ '; modified ' ~ file['modified'] ~ '; query ' ~ asked ~ '.') }}
{% endmacro %}


{#- Of a view too: the audit has views in place of the copies. -#}
{% macro table_comment(relation) %}
    {%- set found = run_query(
        "select comment from duckdb_tables() where database_name = current_database() and schema_name = '" ~ relation.schema
        ~ "' and table_name = '" ~ relation.identifier ~ "'"
        ~ " union all select comment from duckdb_views() where database_name = current_database() and schema_name = '"
        ~ relation.schema ~ "' and view_name = '" ~ relation.identifier ~ "'"
    ).rows -%}
    {{ return(found[0][0] or '' if found | length else '') }}
{% endmacro %}

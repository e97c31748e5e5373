{#- What a raw_copy needs to know about its raw file. python/charthouse/data/raw finds the file, decides whether to
    accept it, and attaches the raw files to the warehouse as the database that the sources name. -#}

{#- The one source of a raw_copy model. -#}
{% macro raw_source(model_node) %}
    {%- for parent in model_node.depends_on.nodes if parent.startswith('source.') -%}
        {{ return(graph.sources[parent]) }}
    {%- endfor -%}
{% endmacro %}


{#- Calls a SQL function of charthouse.data.raw.database about the file of a source. -#}
{% macro of_raw_file(question, node, detail=none) %}
    {%- set table = text_literal(node.source_name ~ '__' ~ node.name) -%}
    {{ return(run_query('select ' ~ question ~ '(' ~ table ~ (', ' ~ text_literal(detail) if detail is not none else '') ~ ')').rows[0][0]) }}
{% endmacro %}


{#- Its path (none where there are no rows to read) and its origin, a line that identifies the file. -#}
{% macro raw_file(node) %}
    {%- if flags.EMPTY -%}{{ return({'path': none, 'origin': 'No row was asked for.'}) }}{%- endif -%}
    {%- set file = fromjson(of_raw_file('raw_file', node)) -%}
    {%- if file.refusal -%}{{ stop(file.refusal) }}{%- endif -%}
    {{ return(file) }}
{% endmacro %}


{#- on-run-start: a missing file or column is reported before other files have been read for an hour. dbt compile and
    dbt docs generate, which render hooks too, read no file. -#}
{% macro check_raw_files() %}
    {%- set reads = execute and invocation_args_dict.which not in ['compile', 'generate'] -%}
    {%- for id in selected_resources | sort if reads and graph.nodes.get(id, {}).get('config', {}).get('materialized') == 'raw_copy' -%}
        {%- do raw_file(raw_source(graph.nodes[id])) -%}
    {%- endfor -%}
{% endmacro %}


{#- Stops at a file without a single row that its model selects. Optional sources (notes, X-rays) may have none. -#}
{% macro stop_at_no_rows(relation, node, path) %}
    {%- if not node.source_meta.optional and not run_query('select 1 from ' ~ relation ~ ' limit 1').rows -%}
        {{ stop(path ~ ' holds no row that ' ~ relation.identifier ~ ' asks for. It is empty or cut: fetch it again.') }}
    {%- endif -%}
{% endmacro %}

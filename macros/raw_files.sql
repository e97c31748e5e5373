{#- What a raw_copy asks of its raw file. Which file that is, and whether it is let in, is found by
    python/charthouse/data/raw, which attaches the raw files to the warehouse as the database that sources name. -#}

{#- The one source of a raw_copy model. -#}
{% macro raw_source(model_node) %}
    {%- for parent in model_node.depends_on.nodes if parent.startswith('source.') -%}
        {{ return(graph.sources[parent]) }}
    {%- endfor -%}
{% endmacro %}


{#- An answer of charthouse.data.raw.database about the file of a source. -#}
{% macro of_raw_file(question, node, detail=none) %}
    {%- set table = text_literal(node.source_name ~ '__' ~ node.name) -%}
    {{ return(run_query('select ' ~ question ~ '(' ~ table ~ (', ' ~ text_literal(detail) if detail is not none else '') ~ ')').rows[0][0]) }}
{% endmacro %}


{#- Its path, none where no row is to be had, and its origin, a line that another file would not have. -#}
{% macro raw_file(node) %}
    {%- if flags.EMPTY -%}{{ return({'path': none, 'origin': 'No row was asked for.'}) }}{%- endif -%}
    {%- set file = fromjson(of_raw_file('raw_file', node)) -%}
    {%- if file.refusal -%}{{ stop(file.refusal) }}{%- endif -%}
    {{ return(file) }}
{% endmacro %}


{#- on-run-start: a file or column that is missing is told before others have been read for an hour. What only
    compiles, which renders hooks too, reads none. -#}
{% macro check_raw_files() %}
    {%- set reads = execute and invocation_args_dict.which not in ['compile', 'generate'] -%}
    {%- for id in selected_resources | sort if reads and graph.nodes.get(id, {}).get('config', {}).get('materialized') == 'raw_copy' -%}
        {%- do raw_file(raw_source(graph.nodes[id])) -%}
    {%- endfor -%}
{% endmacro %}


{#- Stops at a file that nothing of ours was found in. Notes and X-rays may be none. -#}
{% macro stop_at_no_rows(relation, node, path) %}
    {%- if not node.source_meta.optional and not node.meta.optional and not run_query('select 1 from ' ~ relation ~ ' limit 1').rows -%}
        {{ stop(path ~ ' holds no row that ' ~ relation.identifier ~ ' asks for. It is empty or cut: fetch it again.') }}
    {%- endif -%}
{% endmacro %}

{#- What stops a raw_copy: faults of a raw file, each in one line that never quotes a row. -#}

{#- Stops at a file that the gate refused while it was read. -#}
{% macro stop_at_refusal(node) %}
    {%- set refusal = run_query('select raw_refusal(' ~ text_literal(raw_table(node)) ~ ')').rows[0][0] -%}
    {%- if refusal -%}{{ stop(refusal) }}{%- endif -%}
{% endmacro %}


{#- Stops at a file that nothing of ours was found in. Notes and X-rays may be none. -#}
{% macro stop_at_no_rows(relation, node, path) %}
    {%- if not node.source_meta.optional and not run_query('select 1 from ' ~ relation ~ ' limit 1').rows -%}
        {{ stop(path ~ ' holds no row that ' ~ relation.identifier ~ ' asks for. It is empty or cut: fetch it again.') }}
    {%- endif -%}
{% endmacro %}

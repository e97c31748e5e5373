{#- What stops a raw_copy: faults of a raw file, each in one line that never quotes a row. -#}

{#- Stops at a Parquet file that holds a number or a time as text: a cast that fails would quote it. -#}
{% macro stop_at_parquet_text(node, path) %}
    {%- set found = run_query('describe select * from read_parquet(' ~ text_literal(path) ~ ')').rows -%}
    {%- for column in node.columns.values() if column.data_type != 'VARCHAR' -%}
        {%- for row in found if row[0] | lower == column.name | lower and row[1] == 'VARCHAR' -%}
            {{ stop(path ~ ', column ' ~ column.name ~ ': text where ' ~ column.data_type ~ ' belongs. Write the file again with that type.') }}
        {%- endfor -%}
    {%- endfor -%}
{% endmacro %}


{#- Stops at a gz whose checksum is wrong; the check has run beside the reading (raw_copy.sql). -#}
{% macro stop_at_damage(path) %}
    {%- set fault = run_query('select gzip_fault(' ~ text_literal(path) ~ ')').rows[0][0] -%}
    {%- if fault -%}{{ stop(path ~ ' is ' ~ fault ~ '. Fetch it again.') }}{%- endif -%}
{% endmacro %}


{#- Stops at rows that could not be read as declared, naming the first by line and column, never by
    its content: it may be a patient's. -#}
{% macro stop_at_rejects(model_name, node, path) %}
    {%- set tables = run_query("select 1 from duckdb_tables() where table_name = 'rejects_" ~ model_name ~ "'") -%}
    {%- if not tables.rows | length -%}{{ return('') }}{%- endif -%}
    {%- set rejects = run_query(
        'select line, column_name, cast(error_type as varchar) as error_type, count(distinct line) over () as faulty_lines'
        ~ ' from rejects_' ~ model_name ~ ' order by line, column_idx limit 1'
    ) -%}
    {%- if rejects.rows | length -%}
        {%- set fault = rejects.rows[0] -%}
        {%- set types = {} -%}
        {%- for column in node.columns.values() -%}
            {%- do types.update({column.name | lower: column.data_type | lower}) -%}
        {%- endfor -%}
        {%- set type = types.get((fault['column_name'] or '') | lower, 'varchar') -%}
        {%- set problem = {
            'CAST': 'a date or time that does not exist' if type in ['timestamp', 'date'] else 'text where a number belongs',
            'MISSING COLUMNS': 'a row with too few fields',
            'TOO MANY COLUMNS': 'a row with too many fields',
            'UNQUOTED VALUE': 'a quote that is never closed',
            'INVALID ENCODING': 'bytes that are not UTF-8',
        }.get(fault['error_type'], fault['error_type'] | lower) -%}
        {%- set where = ', column ' ~ fault['column_name'] if fault['error_type'] == 'CAST' else '' -%}
        {%- set lines = fault['faulty_lines'] | int -%}
        {%- set many = '; at least ' ~ lines ~ ' faulty lines, the file may be damaged: gzip -t tells' if lines >= 100 else ('; ' ~ lines ~ ' faulty lines' if lines > 1 else '') -%}
        {{ stop(path ~ ', line ' ~ fault['line'] ~ where ~ ': ' ~ problem ~ many ~ '. Correct the file or fetch it again.') }}
    {%- endif -%}
{% endmacro %}


{#- Stops at a file that nothing of ours was found in. Notes and X-rays may be none. -#}
{% macro stop_at_no_rows(relation, node, path) %}
    {%- if not node.source_meta.optional and not run_query('select 1 from ' ~ relation ~ ' limit 1').rows -%}
        {{ stop(path ~ ' holds no row that ' ~ relation.identifier ~ ' asks for. It is empty or cut: fetch it again.') }}
    {%- endif -%}
{% endmacro %}

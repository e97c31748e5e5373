{#- How raw MIMIC files become tables: found by name, read by declared column, never sniffed.
    What is declared stands in models/staging/_staging__sources.yml: the columns that we need with
    their types, and in each source's meta the environment variable of its root folder, the folder
    below it, and whether the whole source may be absent. -#}

{#- The one source of a raw_copy model. -#}
{% macro raw_source(model_node) %}
    {%- for parent in model_node.depends_on.nodes if parent.startswith('source.') -%}
        {{ return(graph.sources[parent]) }}
    {%- endfor -%}
{% endmacro %}


{#- The folder of a source as the environment gives it; '' where an optional one is not set. -#}
{% macro raw_folder(node) %}
    {%- set meta = node.source_meta -%}
    {%- set root = env_var(meta.root, '') -%}
    {%- if root == '' and not meta.optional -%}
        {{ stop(meta.root ~ ' is not set: it names the folder of ' ~ meta.title ~ '. Run: export ' ~ meta.root ~ '=/path/to/' ~ meta.title ~ ' (or make demo, which needs no data).') }}
    {%- endif -%}
    {{ return(root.rstrip('/') ~ meta.folder if root else '') }}
{% endmacro %}


{#- The path of a table's file, whichever of the three forms it has; none where an optional source
    is not there. -#}
{% macro raw_path(node) %}
    {%- set folder = raw_folder(node) -%}
    {%- if folder == '' -%}{{ return(none) }}{%- endif -%}
    {%- set stem = folder ~ '/' ~ node.identifier -%}
    {%- for ending in ['.csv.gz', '.csv', '.parquet'] -%}
        {%- set found = run_query('select file from glob(' ~ text_literal(stem ~ ending) ~ ')') -%}
        {%- if found.rows | length -%}{{ return(stem ~ ending) }}{%- endif -%}
    {%- endfor -%}
    {%- set there = run_query('select count(*) from glob(' ~ text_literal(folder ~ '/*') ~ ')').rows[0][0] -%}
    {%- if there -%}
        {{ stop(stem ~ '.csv.gz is missing (nor is there a .csv or .parquet). Fetch it from PhysioNet, or correct ' ~ node.source_meta.root ~ '.') }}
    {%- endif -%}
    {{ stop(folder ~ ' is missing, empty or not readable by you. Correct ' ~ node.source_meta.root ~ ', or the rights of the folder (ls -ld).') }}
{% endmacro %}


{#- The names of a file's columns, in the file's order. -#}
{% macro raw_header(path) %}
    {%- set literal = text_literal(path) -%}
    {%- if path.endswith('.parquet') -%}
        {{ return(run_query('describe select * from read_parquet(' ~ literal ~ ')').columns[0].values() | list) }}
    {%- endif -%}
    {#- in Python: DuckDB's error about a first line that it cannot read would quote it -#}
    {%- set found = run_query('select unnest(csv_header(' ~ literal ~ ')) as name').rows -%}
    {%- if not found | length -%}
        {{ stop(path ~ ' is empty, damaged or not readable by you: it has no first line. Fetch it again, or correct its rights.') }}
    {%- endif -%}
    {{ return(found | map(attribute='name') | list) }}
{% endmacro %}


{#- The declared columns of a raw table as a FROM item: by name, without case, in any order; a column
    that is declared optional and absent is null; an absent optional source has no rows.
    Faulty rows go to DuckDB's table of rejects, which stop_at_rejects looks at. -#}
{% macro raw_reader(node, path, model_name) %}
    {%- set in_file = {} -%}
    {%- set header = raw_header(path) if path is not none else [] -%}
    {%- for name in header -%}{%- do in_file.update({name | lower: name}) -%}{%- endfor -%}

    {%- set wanted = [] -%}
    {%- set types = {} -%}
    {%- for column in node.columns.values() -%}
        {%- set name = in_file.get(column.name | lower) -%}
        {%- if name is none and path is not none and not column.meta.optional -%}
            {{ stop(path ~ ': column ' ~ column.name ~ ' is missing. Fetch the file again, or rename the column back.') }}
        {%- endif -%}
        {%- do types.update({name: column.data_type}) -%}
        {%- do wanted.append(
            'cast(' ~ ('null' if name is none else '"' ~ name ~ '"') ~ ' as ' ~ column.data_type ~ ') as ' ~ column.name | lower
        ) -%}
    {%- endfor -%}
    {%- set select_wanted = 'select ' ~ wanted | join(', ') -%}

    {%- if path is none -%}{{ return('(' ~ select_wanted ~ ' where false)') }}{%- endif -%}
    {%- set literal = text_literal(path) -%}
    {%- if path.endswith('.parquet') -%}
        {%- do stop_at_parquet_text(node, path) -%}
        {{ return('(' ~ select_wanted ~ ' from read_parquet(' ~ literal ~ '))') }}
    {%- endif -%}
    {%- set columns = [] -%}
    {%- for name in header -%}
        {%- do columns.append('"' ~ name ~ "\": '" ~ types.get(name, 'VARCHAR') ~ "'") -%}
    {%- endfor -%}
    {{ return(
        '(' ~ select_wanted ~ ' from read_csv(' ~ literal
        ~ ", auto_detect = false, header = true, delim = ',', quote = '\"', escape = '\"'"
        ~ ", columns = {" ~ columns | join(', ') ~ "}"
        ~ ", store_rejects = true, rejects_table = 'rejects_" ~ model_name ~ "'"
        ~ ", rejects_scan = 'reject_scans_" ~ model_name ~ "', rejects_limit = 100))"
    ) }}
{% endmacro %}


{#- true where all data that a run reads say that they are synthetic: `charthouse synth` leaves a
    SYNTHETIC.txt in each of its folders. One folder without it, and nothing may leave the machine. -#}
{% macro is_synthetic() %}
    {%- if not execute -%}{{ return('false') }}{%- endif -%}
    {%- set unmarked = [] -%}
    {%- for root in ['CHARTHOUSE_MIMICIV', 'CHARTHOUSE_NOTE', 'CHARTHOUSE_CXR'] if env_var(root, '') -%}
        {%- if not is_marked(env_var(root)) -%}{%- do unmarked.append(root) -%}{%- endif -%}
    {%- endfor -%}
    {{ return('false' if unmarked or not env_var('CHARTHOUSE_MIMICIV', '') else 'true') }}
{% endmacro %}


{% macro is_marked(folder) %}
    {{ return(run_query('select 1 from glob(' ~ text_literal(folder ~ '/SYNTHETIC.txt') ~ ')').rows | length > 0) }}
{% endmacro %}

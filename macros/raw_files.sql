{#- How raw MIMIC files become tables: found by name, and let in by
    the gate (python/charthouse/raw): by declared column and type, never sniffed.
    What is declared stands in models/staging/<source>/_sources.yml: the columns that we need with
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


{#- The path of a table's file, whichever of the three forms it has, and it has only one; none where
    an optional source is not there. -#}
{% macro raw_path(node) %}
    {%- set folder = raw_folder(node) -%}
    {%- if folder == '' -%}{{ return(none) }}{%- endif -%}
    {%- set stem = folder ~ '/' ~ node.identifier -%}
    {%- set there = [] -%}
    {%- for ending in ['.csv.gz', '.csv', '.parquet'] -%}
        {%- set found = run_query('select file from glob(' ~ text_literal(stem ~ ending) ~ ')') -%}
        {%- if found.rows | length -%}{%- do there.append(node.identifier ~ ending) -%}{%- endif -%}
    {%- endfor -%}
    {%- if there | length > 1 -%}
        {{ stop(stem ~ ' stands there ' ~ ('twice' if there | length == 2 else 'three times') ~ ': ' ~ there | join(' and ') ~ '. Keep one of them.') }}
    {%- elif there -%}
        {{ return(folder ~ '/' ~ there[0]) }}
    {%- endif -%}
    {%- if run_query('select count(*) from glob(' ~ text_literal(folder ~ '/*') ~ ')').rows[0][0] -%}
        {{ stop(stem ~ '.csv.gz is missing (nor is there a .csv or .parquet). Fetch it from PhysioNet, or correct ' ~ node.source_meta.root ~ '.') }}
    {%- endif -%}
    {{ stop(folder ~ ' is missing, empty or not readable by you. Correct ' ~ node.source_meta.root ~ ', or the rights of the folder (ls -ld).') }}
{% endmacro %}


{#- on-run-start: a file that is missing is told before others have been read for an hour. -#}
{% macro check_raw_files() %}
    {%- for id in selected_resources | sort if execute and graph.nodes.get(id, {}).get('config', {}).get('materialized') == 'raw_copy' -%}
        {%- do raw_path(raw_source(graph.nodes[id])) -%}
    {%- endfor -%}
{% endmacro %}


{#- The view that the gate (python/charthouse/raw) gives for a source: each scan reads the file that
    open_raw names. -#}
{% macro raw_view(node) %}{{ return('raw__' ~ raw_table(node)) }}{% endmacro %}


{% macro raw_table(node) %}{{ return(node.source_name ~ '__' ~ node.name) }}{% endmacro %}

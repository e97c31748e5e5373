{#- What kind of data the marts hold, which decides what may leave the machine (docs/explanation/security.md).
    synthetic: every file that was read was written by `charthouse synth`; open: every other file is
    listed in seeds/open_data.csv; else credentialed. The table comment of each raw copy records its kind,
    by the SHA-256 of the file when it was read; it is determined anew whenever the copy runs, since the
    marker and the folder around it may change. -#}

{% macro data_kind() %}{{ return(kind_of_copies().kind if execute else 'credentialed') }}{% endmacro %}


{#- 'true' or 'false'. -#}
{% macro is_synthetic() %}{{ return('true' if data_kind() == 'synthetic' else 'false') }}{% endmacro %}


{#- Name and licence of open data; none where the data are not open. -#}
{% macro data_source() %}{{ return(kind_of_copies().source if execute else none) }}{% endmacro %}


{#- Why it is this kind, where a marker or other files suggest another; else none. -#}
{% macro data_kind_because() %}{{ return(kind_of_copies().why if execute else none) }}{% endmacro %}


{#- kind; source, if it is open; why, if some of the data are or claim to be synthetic or open, but not all
    are. For the copies that are in the warehouse now. -#}
{% macro kind_of_copies() %}
    {%- set kinds, sources, reasons, unknown, open_beside = [], [], [], [], {} -%}
    {%- for node in graph.nodes.values() | sort(attribute='unique_id') if node.config.materialized == 'raw_copy' -%}
        {%- set relation = api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias) -%}
        {%- set comment = table_comment(relation) -%}
        {%- set kind = kind_in(comment) -%}
        {%- set source = raw_source(node) -%}
        {%- for line in comment.split('\n') if line.startswith('Open data: ') -%}
            {%- do sources.append(line[11:-1]) -%}
            {%- do open_beside.update({source.source_meta.root: line[11:-1]}) -%}
        {%- endfor -%}
        {%- for line in comment.split('\n') if line.startswith('Not synthetic: ') -%}{%- do reasons.append(line[15:-1]) -%}{%- endfor -%}
        {%- if kind == 'credentialed' -%}{%- do unknown.append(source) -%}{%- endif -%}
        {%- if comment and kind != 'none' -%}{%- do kinds.append(kind) -%}{%- endif -%}
    {%- endfor -%}
    {%- if unknown or not kinds -%}
        {%- set why = reasons or (
            [why_credentialed(unknown[0], open_beside.get(unknown[0].source_meta.root))]
            if kinds | reject('equalto', 'credentialed') | list else []
        ) -%}
        {{ return({'kind': 'credentialed', 'source': none, 'why': why | first}) }}
    {%- endif -%}
    {{ return({
        'kind': 'open' if 'open' in kinds else 'synthetic',
        'source': sources | unique | join('; ') if 'open' in kinds else none,
        'why': reasons | first,
    }) }}
{% endmacro %}


{#- Why a table counts as credentialed, if no marker beside it claims that it is synthetic.
    open_data: name and licence of the open tables beside it; none where there are none. -#}
{% macro why_credentialed(source, open_data) %}
    {%- set file = (source.source_meta.folder ~ '/' ~ source.identifier).lstrip('/') -%}
    {%- if open_data -%}
        {{ return(file ~ ' differs from the published one of ' ~ open_data ~ ', of which others are beside it. Fetch it again, or see docs/explanation/security.md') }}
    {%- endif -%}
    {{ return(file ~ ' is neither listed by a SYNTHETIC.txt beside it nor open data (seeds/open_data.csv), and one such file is enough') }}
{% endmacro %}


{#- What kind of data a copy holds, as the last lines of its comment. -#}
{% macro kind_of_copy(node, path, sha256, relation) %}
    {%- if path is none -%}{{ return('No rows.') }}{%- endif -%}
    {%- set why = of_raw_file('why_not_synthetic', node, sha256) -%}
    {%- if why is none -%}{%- set why = unsigned_rows(node, path, relation) -%}{%- endif -%}
    {%- if why is none -%}{{ return('Synthetic.') }}{%- endif -%}
    {%- set lines = [] -%}
    {%- for known in rows_of_seed('open_data') if known['sha256'] == sha256 -%}
        {%- do lines.append('Open data: ' ~ known['name'] ~ ' (' ~ known['licence'] ~ ').') -%}
    {%- endfor -%}
    {%- set lines = lines or ['Credentialed.'] -%}
    {{ return((lines + (['Not synthetic: ' ~ why ~ '.'] if why else [])) | join('\n')) }}
{% endmacro %}


{#- Why the rows of a table are not all synthetic, judged by the words with which a column of synthetic rows
    begins (models/staging/<source>/_sources.yml); none where they all are. -#}
{% macro unsigned_rows(node, path, relation) %}
    {%- for column in node.columns.values() if column.meta.synthetic_words -%}
        {%- set rows = run_query(
            'select count(*) from ' ~ relation ~ ' where starts_with(' ~ column.name ~ ', '
            ~ text_literal(column.meta.synthetic_words) ~ ') is distinct from true'
        ).rows[0][0] -%}
        {%- if rows -%}
            {{ return(path ~ ': ' ~ rows ~ ' rows whose ' ~ column.name ~ ' does not begin with the words of a synthetic one. Make the data again with charthouse synth') }}
        {%- endif -%}
    {%- endfor -%}
    {{ return(none) }}
{% endmacro %}


{#- At the start and the end of a run: if it rebuilds only some models, its raw copies must not be of another
    kind than the marts that it leaves as they are, since those hold the rows read before. -#}
{% macro stop_at_another_kind(results=[]) %}
    {%- if not execute or results | selectattr('status', 'in', ['error', 'fail', 'runtime error']) | list or not tables_left_out() -%}{{ return('') }}{%- endif -%}
    {%- set standing = run_query('select standing_data_kind()').rows[0][0] -%}
    {%- if standing is not none and standing != data_kind() -%}
        {%- set why = kind_of_copies().why -%}
        {{ stop(
            'The raw files now hold ' ~ data_kind() ~ ' data, and the marts are of ' ~ standing ~ ' data'
            ~ (' (' ~ why ~ ')' if why else '')
            ~ '. Build all (dbt build without --select), or name the folders that the warehouse was built from.'
        ) }}
    {%- endif -%}
{% endmacro %}


{#- The kind recorded in a copy's comment: synthetic, open, credentialed, or none (its source is not set). -#}
{% macro kind_in(comment) %}
    {%- for line in comment.split('\n') -%}
        {%- if line == 'Synthetic.' -%}{{ return('synthetic') }}{%- endif -%}
        {%- if line == 'No rows.' -%}{{ return('none') }}{%- endif -%}
        {%- if line.startswith('Open data: ') -%}{{ return('open') }}{%- endif -%}
    {%- endfor -%}
    {{ return('credentialed') }}
{% endmacro %}


{#- Writes the SHA-256 into a copy's comment; sha256_in reads it back. -#}
{% macro sha256_words(sha256) %}{{ return(' SHA-256 ' ~ sha256 ~ '.' if sha256 else '') }}{% endmacro %}


{% macro sha256_in(comment) %}
    {%- set found = modules.re.search(' SHA-256 ([0-9a-f]{64})\\.', comment) -%}
    {{ return(found.group(1) if found else '') }}
{% endmacro %}

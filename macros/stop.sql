{#- Ends the run with one line: what is wrong, where, and how to fix it. -#}
{% macro stop(message) %}
    {%- do exceptions.raise_compiler_error(message) -%}
{% endmacro %}


{#- A post-hook that stops the build and undoes a model whose rows break a rule that later models rely on.
    `query` returns the offending rows, with the value to name as first column; `message` says what is
    wrong with them, `mend` what to do. -#}
{% macro stop_at_rows(query, message, mend) %}
    {%- if execute and not flags.EMPTY -%}
        {%- set offenders = run_query(
            'select count(*) as n, min(offender) as first from (' ~ query ~ ') as rows(offender)'
        ).rows[0] -%}
        {%- if offenders['n'] -%}
            {#- named only if it comes from a seed or is a key with a digit: other raw values may be patient text -#}
            {%- set first = offenders['first'] | string -%}
            {%- set is_key = message.startswith('seeds/') or modules.re.fullmatch('(?=.*[0-9])[A-Za-z0-9._-]{1,64}', first) or first.startswith('without ') -%}
            {{ stop(message ~ ' (' ~ offenders['n'] ~ ' of them' ~ (', the first ' ~ first if is_key else '') ~ '). ' ~ mend) }}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}


{#- A post-hook of a raw table: its key is never null, and unique. -#}
{% macro stop_at_bad_keys(relation, key, file) %}
    {%- do stop_at_rows(
        'select ' ~ key ~ ' from ' ~ relation ~ ' where ' ~ key ~ ' is not null group by all having count(*) > 1',
        file ~ ': a ' ~ key ~ ' stands in more than one row', 'Keep one row of it, or fetch the file again.'
    ) -%}
    {%- do stop_at_rows(
        "select 'without " ~ key ~ "' from " ~ relation ~ ' where ' ~ key ~ ' is null',
        file ~ ': a ' ~ key ~ ' is blank', 'Remove the row, or fetch the file again.'
    ) -%}
{% endmacro %}


{#- A post-hook of a raw table whose rows name files: no name may lead out of the folder. -#}
{% macro stop_at_names_of_no_file(relation, column, file) %}
    {%- do stop_at_rows(
        'select subject_id from ' ~ relation ~ ' where ' ~ column ~ " in ('.', '..')"
        ~ ' or contains(' ~ column ~ ", '/') or contains(" ~ column ~ ", '\\') or contains(" ~ column ~ ', chr(0))',
        file ~ ': a ' ~ column ~ ' is no name of a file, told here by its subject_id', 'Correct it, or fetch the file again.'
    ) -%}
{% endmacro %}


{#- A post-hook of int_stays_screened: an empty cohort is a mistake in the settings. -#}
{% macro stop_at_no_cohort(screened) %}
    {%- if execute and not flags.EMPTY -%}
        {%- set dropped = run_query(
            'select dropped_for_not, count(*) as n from ' ~ screened ~ ' group by all order by n desc'
        ).rows -%}
        {%- set kept = dropped | selectattr('dropped_for_not', 'none') | list -%}
        {%- if not kept -%}
            {%- set reasons = [] -%}
            {%- for row in dropped -%}{%- do reasons.append('"' ~ row['dropped_for_not'] ~ '" drops ' ~ row['n']) -%}{%- endfor -%}
            {{ stop('No stay is left after the rules of the cohort: ' ~ reasons | join(', ') ~ '. Loosen the settings (docs/reference/settings.md).') }}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}

{#- on-run-start: the tables that Python jobs write and dbt only reads. They are made once and never
    replaced, so embeddings and results outlive every rebuild of the marts (--full-refresh too).
    embeddings.<encoder> is made by the job that fills it: its dimension is known only there. -#}
{% macro create_result_tables() %}
    {%- if execute -%}
        {%- set statements = ['create schema if not exists embeddings', 'create schema if not exists results'] -%}
        {%- for table, definition in result_tables().items() -%}
            {%- do statements.append('create table if not exists ' ~ table ~ ' (' ~ definition.columns ~ ')') -%}
            {%- do statements.append('comment on table ' ~ table ~ ' is ' ~ text_literal(definition.holds)) -%}
        {%- endfor -%}
        {#- charthouse.embed.store replaces it, with one more arm a table, when it makes the table -#}
        {%- do statements.append(
            'create view if not exists embeddings.encoded as select null::varchar as encoder, null::varchar as task,'
            ~ ' null::integer as stay_id, null::varchar as input_hash, null::varchar as cohort_hash,'
            ~ ' null::varchar as run_id where false'
        ) -%}
        {%- do in_one_transaction(statements) -%}
    {%- endif -%}
{% endmacro %}


{% macro result_tables() %}
    {{ return({
        'results.runs': {
            'holds': 'One row per run of a job: what it was asked, on which cohort, with which code, weights, seed and packages. finished_at is null while it runs, and for ever if it failed or was killed.',
            'columns': 'run_id varchar not null, kind varchar not null, name varchar not null, task varchar, cohort_hash varchar not null, protocol varchar not null, is_synthetic boolean not null, code_version varchar not null, seed bigint not null, settings json not null, revision varchar, fingerprint varchar, packages json not null, device varchar not null, started_at timestamp not null, finished_at timestamp, counts json',
        },
        'results.sends': {
            'holds': 'One row per request that left for a server, written before it left: host, why it was allowed, number of texts or images, bytes. Never what was in them.',
            'columns': 'run_id varchar not null, sent_at timestamp not null, host varchar not null, allowed_because varchar not null, items bigint not null, bytes bigint not null',
        },
        'embeddings.skipped': {
            'holds': 'One row per stay, or per image or report of a stay (item), that an encoder could not encode, with the reason. cohort_hash is null where inputs or settings have changed since.',
            'columns': 'encoder varchar not null, task varchar, stay_id integer not null, item varchar, reason varchar not null, input_hash varchar not null, cohort_hash varchar, run_id varchar not null',
        },
        'embeddings.fitted': {
            'holds': 'One row per fit: what an encoder learned from the train split, as a NumPy .npz file. A run that was killed goes on with the very same numbers.',
            'columns': 'encoder varchar not null, task varchar, fit_hash varchar not null, learned blob not null, run_id varchar not null',
        },
    }) }}
{% endmacro %}

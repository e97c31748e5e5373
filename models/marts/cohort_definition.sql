-- What the cohort is: every setting in force, the seeds that decide what is read, and a hash of these and
-- of what the marts hold of the cohort's stays; the hourly grid and the profiles follow from these.
-- Embeddings and predictions carry the hash; those of another one are never mixed in.
-- Grain: one row.
{%- set hashed = ['cohort', 'labels', 'vitals_events', 'images', 'reports', 'vital_signs', 'tabular_variables'] %}
with
{%- for name in hashed %}
{{ name }} as (
    -- a sum, so that a hash needs no sort, and a row that stands twice is not one that stands nowhere
    select
        concat(count(*), ':', sum(cast(md5_number_lower(cast({{ name }} as varchar)) as hugeint))) as rows_hash
    from {{ ref(name) }} as {{ name }}
),
{% endfor %}
variables as (
    select cast({{ text_literal(tojson(effective_settings(), sort_keys=true)) }} as json) as variables
),

final as (
    select
        md5(concat_ws(
            ' ',
            variables.variables,
            {%- for name in hashed %}
            {{ name }}.rows_hash,
            {%- endfor %}
            {{ is_synthetic() }}
        )) as cohort_hash,
        '{{ protocol() }}' as protocol,
        json_merge_patch(variables.variables, json_object('vital_signs_hash', vital_signs.rows_hash)) as variables,
        {{ is_synthetic() }} as is_synthetic,
        '{{ data_kind() }}' as data_kind,
        {{ text_literal(data_source()) if data_source() else 'cast(null as varchar)' }} as data_source,
        cast('{{ run_started_at }}' as timestamp) as built_at
    from variables, {{ hashed | join(', ') }}
)

select * from final

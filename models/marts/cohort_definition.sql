-- Definition of the cohort: every setting in force, and a hash of the protocol, the settings that shape the cohort,
-- the rows of marts.cohort (splits included) and whether the data are synthetic. Which modalities a stay has is not
-- part of it: marts.content_hashes has those.
-- Grain: one row.
with cohort as (
    select {{ rows_hash('cohort') }} as rows_hash from {{ ref('cohort') }}
),

final as (
    select
        md5(concat_ws(
            '|',
            '{{ protocol() }}',
            {{ text_literal(tojson(settings_that_shape(['cohort']), sort_keys=true)) }},
            rows_hash,
            {{ is_synthetic() }}
        )) as cohort_hash,
        '{{ protocol() }}' as protocol,
        cast({{ text_literal(tojson(effective_settings(), sort_keys=true)) }} as json) as variables,
        {{ is_synthetic() }} as is_synthetic,
        '{{ data_kind() }}' as data_kind,
        {{ text_literal(data_source()) if data_source() else 'cast(null as varchar)' }} as data_source,
        {{ text_literal(data_kind_because()) if data_kind_because() else 'cast(null as varchar)' }} as data_kind_because,
        cast('{{ run_started_at }}' as timestamp) as built_at
    from cohort
)

select * from final

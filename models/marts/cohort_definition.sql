-- What the cohort is: every setting in force, the vital signs and their ranges, and a hash of these
-- and of the cohort's rows. Embeddings and predictions carry the hash; those of another one are never
-- mixed in.
-- Grain: one row.
with cohort as (
    select md5(string_agg(cast(cohort as varchar), chr(10) order by cohort.stay_id)) as rows_hash
    from {{ ref('cohort') }} as cohort
),

vital_signs as (
    select md5(string_agg(cast(vital_signs as varchar), chr(10) order by vital_signs.itemid)) as rows_hash
    from {{ ref('vital_signs') }} as vital_signs
),

variables as (
    select cast({{ text_literal(tojson(effective_settings(), sort_keys=true)) }} as json) as variables
),

final as (
    select
        md5(concat(variables.variables, vital_signs.rows_hash, cohort.rows_hash, {{ is_synthetic() }})) as cohort_hash,
        '{{ var("protocol") }}' as protocol,
        json_merge_patch(variables.variables, json_object('vital_signs_hash', vital_signs.rows_hash)) as variables,
        {{ is_synthetic() }} as is_synthetic,
        cast('{{ run_started_at }}' as timestamp) as built_at
    from cohort, vital_signs, variables
)

select * from final

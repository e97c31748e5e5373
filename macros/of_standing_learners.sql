{#- Rows of a table of results, those of the learners that stand only, with protocol and whether the data are
    synthetic. Learners stand that were asked about the present cohort, each under the settings of its last
    run. `only` is a condition on the rows, found. -#}
{% macro of_standing_learners(table, only='true') -%}
with learners as (
    select distinct
        answers.learner,
        answers.fingerprint,
        cohort.cohort_hash,
        cohort.protocol,
        cohort.is_synthetic
    from {{ source('results', 'standing_answers') }} as answers
    inner join {{ ref('cohort_definition') }} as cohort on answers.cohort_hash = cohort.cohort_hash
),

found as (
    select * from {{ source('results', table) }}
),

final as (
    select
        found.*,
        learners.protocol,
        learners.is_synthetic
    from found
    inner join learners
        on
            found.learner = learners.learner
            and found.fingerprint = learners.fingerprint
            and found.cohort_hash = learners.cohort_hash
    where {{ only }}
)

select * from final
{%- endmacro %}

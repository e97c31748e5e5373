{#- The rows of a table of results that are of current learners, with protocol and whether the data are
    synthetic. A learner is current if it was asked about the present cohort, under the settings of its last
    run. is_current: its answers about the task are still those that were scored, under every condition; with
    `other`, also those of the other learner. All metrics of a task are written at once, so reports.learners
    decides for every table. `only` is a condition on the rows, found. -#}
{% macro of_current_learners(table, only='true', other=false) -%}
with learners as (
    select distinct
        answers.learner,
        answers.fingerprint,
        cohort.cohort_hash,
        cohort.protocol,
        cohort.is_synthetic
    from {{ ref('current_answers') }} as answers
    cross join {{ ref('cohort_definition') }} as cohort
),

found as (
    select * from {{ ref(table) }}
),
{%- if other %}

arms as (
    select * from {{ ref('report_arms') }}
),
{%- endif %}

scored as (
    select
        task,
        learner,
        fingerprint,
        bool_and(is_current) as is_current,
        max(saw_mimic) as saw_mimic
    from {{ ref('report_learners') }}
    group by task, learner, fingerprint
),

final as (
    select
        found.*,
        coalesce(scored.is_current, false)
        {%- if other %}
        and coalesce(others.is_current, found.other_learner is null)
        {%- endif %} as is_current,
        {%- if other %}
        coalesce(scored.saw_mimic, 'unknown') as saw_mimic,
        coalesce(arms.saw_mimic, others.saw_mimic, 'unknown') as other_saw_mimic,
        {%- endif %}
        learners.protocol,
        learners.is_synthetic
    from found
    inner join learners
        on
            found.learner = learners.learner
            and found.fingerprint = learners.fingerprint
            and found.cohort_hash = learners.cohort_hash
    left join scored
        on
            found.task = scored.task
            and found.learner = scored.learner
            and found.fingerprint = scored.fingerprint
    {%- if other %}
    left join scored as others
        on
            found.task = others.task
            and found.other_learner = others.learner
            and found.other_fingerprint = others.fingerprint
    left join arms on found.other_run_id = arms.run_id
    {%- endif %}
    where {{ only }}
)

select * from final
{%- endmacro %}

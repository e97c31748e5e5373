-- How many stays of the cohort each task asks about, and why it leaves the others out.
-- Grain: one row per task and reason; no reason are those that are asked about.
{%- set tasks = tasks() %}
with
{%- for task in tasks %}
{{ task.model }} as (
    select * from {{ ref(task.model) }}
),
{% endfor %}
cohort as (
    select * from {{ ref('cohort') }}
),

stays as (
    {%- for task in tasks %}
    select
        {{ text_literal(task.name) }} as task,
        stay_id,
        excluded_because
    from {{ task.model }}
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
),

final as (
    select
        stays.task,
        stays.excluded_because,
        count(*) as stays,
        count(distinct cohort.subject_id) as patients
    from stays
    inner join cohort on stays.stay_id = cohort.stay_id
    group by stays.task, stays.excluded_because
)

select * from final
order by task, excluded_because nulls first

-- The outcomes of all tasks in vars.tasks, stacked: marts.labels holds the stays that a task includes,
-- marts.task_attrition counts the others, and the audit checks decided_at.
-- Grain: one row per stay of the cohort and task.
{{ config(materialized='view') }}
{%- set tasks = tasks() %}

with
{%- for task in tasks %}
{{ task.model }} as (
    select * from {{ ref(task.model) }}
),
{% endfor %}
final as (
    {%- for task in tasks %}
    select
        stay_id,
        {{ text_literal(task.name) }} as task,
        label,
        excluded_because,
        decided_at
    from {{ task.model }}
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
)

select * from final

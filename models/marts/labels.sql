-- The outcomes to predict: of each task in vars.tasks the stays that it does not leave out.
-- Grain: one row per stay and task.
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
        label
    from {{ task.model }}
    where label is not null
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
)

select * from final
order by task, stay_id

-- The outcomes to predict: for each task in vars.tasks, the stays that it does not exclude.
-- Grain: one row per stay and task.
with outcomes as (
    select * from {{ ref('task_outcomes') }}
),

final as (
    select
        stay_id,
        task,
        label
    from outcomes
    where label is not null
)

select * from final
order by task, stay_id

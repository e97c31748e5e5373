-- Do all stays of a task, or of a split with 50 or more, have the same label?
-- Grain: one row per stay and task.
with cohort as (
    select * from {{ ref('cohort') }}
),

final as (
    select
        labels.stay_id,
        case
            when coalesce(min(labels.label) over of_task = max(labels.label) over of_task, true)
                then labels.task
            -- a small split may have only one class by chance
            when min(labels.label) over of_split = max(labels.label) over of_split and count(labels.label) over of_split >= 50
                then labels.task || ' in ' || cohort.split
        end as problem,
        false as is_chosen
    from {{ ref('labels') }} as labels
    inner join cohort on labels.stay_id = cohort.stay_id
    window of_task as (partition by labels.task), of_split as (partition by labels.task, cohort.split)
)

select * from final

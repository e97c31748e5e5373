-- The current runs: the last of each kind, name and task among those that finished and have read nothing that has
-- changed since.
-- Grain: one row per kind, name and task.
with runs as (
    select * from {{ ref('runs') }}
    where finished_at is not null
),

cohort as (
    select cohort_hash from {{ ref('cohort_definition') }}
),

final as (
    select runs.*
    from runs
    inner join cohort on runs.cohort_hash = cohort.cohort_hash
    where {{ is_current('runs.reads') }}
    qualify
        row_number() over (
            partition by runs.kind, runs.name, runs.task order by runs.finished_at desc, runs.run_id desc
        ) = 1
)

select * from final

-- A hash of what the vectors of each encoder were made from, over all stays. A run of predict stores it
-- (results.run_inputs): once it differs, the run was fitted on other vectors than there are now.
-- Grain: one row per encoder, and task where it is trained per task.
with vectors as (
    select * from {{ ref('encoded') }}
    where {{ is_current('reads') }}
),

final as (
    select
        encoder,
        task,
        md5(string_agg(stay_id || ':' || input_hash, ',' order by stay_id)) as content_hash
    from vectors
    group by encoder, task
)

select * from final

-- What the vectors of each encoder were made of, all stays together: a run of predict notes it (results.run_inputs),
-- and stands on other vectors once it has changed.
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

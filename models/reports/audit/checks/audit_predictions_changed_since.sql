-- Have predictions changed since they were written? Their run noted a hash of all of them.
-- Grain: one row per current model; none where no run noted one, as runs of an older clone.
with arms as (
    select
        *,
        task || ' ' || arm || ' by ' || fusion as label
    from {{ ref('report_arms') }}
),

runs as (
    select
        run_id,
        counts ->> 'scores_hash' as scores_hash
    from {{ ref('runs') }}
),

predictions as (
    select * from {{ ref('predictions') }}
),

hashed as (
    select
        run_id,
        -- as charthouse.predict.store has it
        md5(string_agg(concat_ws(':', stay_id, y_true, y_score, out_of_fold), ',' order by stay_id)) as scores_hash
    from predictions
    group by run_id
),

final as (
    select
        cast(null as integer) as stay_id,
        if(runs.scores_hash = hashed.scores_hash, null, arms.label) as problem,
        false as is_chosen
    from arms
    inner join runs on arms.run_id = runs.run_id
    left join hashed on arms.run_id = hashed.run_id
    qualify bool_or(runs.scores_hash is not null) over ()
)

select * from final

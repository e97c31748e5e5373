-- Have predictions changed since they were written? Their run stored a hash of all of them.
-- Grain: one row per current model; no rows if no run stored a hash, as in older versions.
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

hashed as (
    select * from {{ ref('current_prediction_hashes') }}
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

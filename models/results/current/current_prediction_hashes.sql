-- A hash of the predictions of each run as they are now. The run stored it when they were written
-- (counts.scores_hash), and the audit compares the two.
-- Grain: one row per run of predict.
with predictions as (
    select * from {{ ref('predictions') }}
),

final as (
    select
        run_id,
        md5(string_agg(concat_ws(':', stay_id, y_true, y_score, out_of_fold), ',' order by stay_id)) as scores_hash
    from predictions
    group by run_id
)

select * from final

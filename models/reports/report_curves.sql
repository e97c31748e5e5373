-- ROC, precision-recall and calibration curves of each arm on the test split, with pointwise bands.
-- Grain: one row per task, arm, fusion, curve and point.
{{ config(alias='curves') }}

with arms as (
    select * from {{ ref('report_arms') }}
),

rows_of_runs as (
    select * from {{ source('results', 'curves') }}
),

final as (
    select
        rows_of_runs.*,
        arms.cohort_hash,
        arms.protocol,
        arms.is_synthetic
    from rows_of_runs
    inner join arms on rows_of_runs.run_id = arms.run_id
)

select * from final

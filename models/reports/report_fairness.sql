-- How far apart the subgroups are: ratios, gaps and the worst group of each arm, with intervals.
-- Grain: one row per task, arm, fusion, attribute and measure.
{{ config(alias='fairness') }}

with arms as (
    select * from {{ ref('report_arms') }}
),

rows_of_runs as (
    select * from {{ source('results', 'fairness') }}
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

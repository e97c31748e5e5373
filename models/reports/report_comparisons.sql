-- Does adding images help? An arm minus another on the same stays and resamples, with interval and p-value, rawn-- and corrected for how many were asked.
-- Grain: one row per question, task, pair of arms, population, attribute and metric.
{{ config(alias='comparisons') }}

with arms as (
    select * from {{ ref('report_arms') }}
),

rows_of_runs as (
    select * from {{ source('results', 'comparisons') }}
),

final as (
    select
        rows_of_runs.*,
        arms.cohort_hash,
        arms.protocol,
        arms.is_synthetic
    from rows_of_runs
    inner join arms on rows_of_runs.run_id = arms.run_id
    -- both must stand: an arm that was fitted again is to be compared again
    inner join arms as others on rows_of_runs.other_run_id = others.run_id
)

select * from final

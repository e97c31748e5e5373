-- Figure 5: the share of each modality in what moves the scores, on all test stays and on the complete ones.
-- Grain: one row per task, arm, fusion, population, method and modality.
{{ config(alias='contributions') }}

with arms as (
    select * from {{ ref('report_arms') }}
),

rows_of_runs as (
    select * from {{ source('results', 'contributions') }}
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

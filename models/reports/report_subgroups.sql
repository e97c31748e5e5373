-- Figure 4: metrics of each arm by age, gender and race group, with intervals; null with its reason where an-- group is too small or of one class.
-- Grain: one row per task, arm, fusion, attribute, subgroup and metric.
{{ config(alias='subgroups') }}

with arms as (
    select * from {{ ref('report_arms') }}
),

rows_of_runs as (
    select * from {{ source('results', 'subgroup_metrics') }}
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

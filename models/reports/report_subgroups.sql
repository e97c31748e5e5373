-- Figure 4: metrics of each arm by age, gender and race group; null with a reason where a group is too
-- small or has only one class.
-- Grain: one row per task, arm, fusion, attribute, subgroup and metric.
{{ config(alias='subgroups') }}

{{ of_current_arms('subgroup_metrics') }}

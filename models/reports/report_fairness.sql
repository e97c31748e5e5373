-- How far apart the subgroups of each arm are: ratios, gaps, the worst group.
-- Grain: one row per task, arm, fusion, attribute and metric.
{{ config(alias='fairness') }}

{{ of_current_arms('fairness') }}

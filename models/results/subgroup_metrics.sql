-- One row per run of predict, subgroup and metric, with its 95 % interval; null with a reason where the group is
-- too small or has only one class.
-- Grain: one row per run of predict, subgroup and metric.
{{ get_empty_schema_sql(model.columns) }} where false

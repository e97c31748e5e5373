-- One row per learner, condition, counting and metric, for all test stays or for a subgroup, with its 95 % interval
-- over resampled patients.
-- Grain: one row per learner, task, condition, subgroup, counting and metric.
{{ get_empty_schema_sql(model.columns) }} where false

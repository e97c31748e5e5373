-- One row per learner, attribute, counting and measure over its groups: ratios, worst group and gap, with 95 %
-- intervals.
-- Grain: one row per learner, task, attribute, counting and measure.
{{ get_empty_schema_sql(model.columns) }} where false

-- One row per run of predict, attribute and measure over its groups: ratios, worst group and gap, with 95 %
-- intervals.
-- Grain: one row per run of predict, attribute and measure.
{{ get_empty_schema_sql(model.columns) }} where false

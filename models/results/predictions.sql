-- One row per run of predict and stay: the probability that the arm gives it.
-- Grain: one row per run of predict and stay.
{{ get_empty_schema_sql(model.columns) }} where false

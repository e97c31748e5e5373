-- One row per run of a job: its settings, cohort, code, weights, seed and packages.
-- Grain: one row per run.
{{ get_empty_schema_sql(model.columns) }} where false

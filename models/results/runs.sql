-- One row per run of a job: what it was asked, on which cohort, with which code, weights, seed and packages.
-- Grain: one row per run.
{{ get_empty_schema_sql(model.columns) }} where false

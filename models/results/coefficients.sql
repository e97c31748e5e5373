-- One row per feature of a logistic regression: its coefficient per standard deviation, and the mean and standard
-- deviation of the stays it was fitted on.
-- Grain: one row per run of predict, model and feature.
{{ get_empty_schema_sql(model.columns) }} where false

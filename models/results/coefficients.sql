-- One row per feature of a logistic regression: its coefficient per standard deviation, and its mean and standard
-- deviation over the stays it was fitted on.
-- Grain: one row per run of predict, model and feature.
{{ get_empty_schema_sql(model.columns) }} where false

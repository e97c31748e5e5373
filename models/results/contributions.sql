-- One row per run of predict, method and modality: the share of the modality in the contributions to the scores of
-- a logistic regression, with its 95 % interval.
-- Grain: one row per run of predict, population, method and modality.
{{ get_empty_schema_sql(model.columns) }} where false

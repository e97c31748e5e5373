-- One row per learner, modality and metric: what a modality, or a group of them such as vitals+labs, adds to p_yes by
-- exact Shapley values over all coalitions (16 of four): mean_absolute, mean, and its share of all absolute values, with 95 % intervals.
-- Grain: one row per learner, task, modality and metric.
{{ get_empty_schema_sql(model.columns) }} where false

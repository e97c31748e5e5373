-- One row per learner, modality and metric: what a modality adds to p_yes by exact Shapley values over all 16
-- coalitions, its mean_absolute, its mean, and its share of all absolute values, with 95 % intervals.
-- Grain: one row per learner, task, modality and metric.
{{ get_empty_schema_sql(model.columns) }} where false

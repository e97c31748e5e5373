-- One row per question, pair of arms and metric: arm minus other_arm on the same stays and resamples.
-- Grain: one row per question, pair of arms, split, population, attribute and metric.
{{ get_empty_schema_sql(model.columns) }} where false

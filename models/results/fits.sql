-- One row per model that a run of predict fitted: what the grid search chose, whether it converged (reason says
-- why not), and the stays it was fitted on.
-- Grain: one row per run of predict and model.
{{ get_empty_schema_sql(model.columns) }} where false

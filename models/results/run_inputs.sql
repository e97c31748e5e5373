-- Which embeddings a run of predict read: one row per encoder and run that made them.
-- Grain: one row per run of predict, encoder, and run that made its vectors.
{{ get_empty_schema_sql(model.columns) }} where false

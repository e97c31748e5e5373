-- One row per fit: what an encoder learned, as a NumPy .npz file, and the stays it learned from.
-- Grain: one row per fit.
{{ get_empty_schema_sql(model.columns) }} where false

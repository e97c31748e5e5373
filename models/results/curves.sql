-- One row per run of predict, curve (roc, precision_recall, calibration) and point, with its pointwise 95 % band.
-- Grain: one row per run of predict, curve and point.
{{ get_empty_schema_sql(model.columns) }} where false

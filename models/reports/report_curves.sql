-- ROC, precision-recall and calibration curves of each arm on the test split, with pointwise bands.
-- Grain: one row per task, arm, fusion, curve and point.
{{ config(alias='curves') }}

{{ of_current_arms('curves') }}

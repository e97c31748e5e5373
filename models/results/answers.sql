-- One row per question put to a multimodal learner: learner, settings (the fingerprint of its run), task,
-- condition, stay.
-- Grain: one row per question.
{{ get_empty_schema_sql(model.columns) }} where false

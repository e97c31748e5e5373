-- One row per question, learner, what it is compared with (an arm; itself under another condition; another
-- learner) and metric: learner minus the other on the same stays and resamples.
-- Grain: one row per question, task, learner, what it is compared with and metric.
{{ get_empty_schema_sql(model.columns) }} where false

-- One row per run of audit and check that it computed in Python (reports.audit has the other checks, and these for
-- the last run): how much was checked, how much of it failed, in which stays (all counted, the first 1,000 listed),
-- and what is wrong.
-- Grain: one row per run of audit and check.
{{ get_empty_schema_sql(model.columns) }} where false

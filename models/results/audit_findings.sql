-- One row per run of audit and check that it computed in Python (reports.audit has the others, and these of the
-- last run): what was looked at, how much of it failed, in which stays (all counted, the first 1,000 named), and
-- what is wrong.
-- Grain: one row per run of audit and check.
{{ get_empty_schema_sql(model.columns) }} where false

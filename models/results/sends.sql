-- One row per request sent to a server, written before it is sent: host, why it was allowed, number of texts or
-- images, bytes.
-- Grain: one row per request.
{{ get_empty_schema_sql(model.columns) }} where false

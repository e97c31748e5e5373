-- One row per request that left for a server, written before it left: host, why it was allowed, number of texts or
-- images, bytes.
-- Grain: one row per request.
{{ get_empty_schema_sql(model.columns) }} where false

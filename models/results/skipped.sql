-- One row per stay, or per image or report of a stay (item), that an encoder could not encode, with the reason.
-- Grain: one row per encoder, task, stay and item.
{{ get_empty_schema_sql(model.columns) }} where false

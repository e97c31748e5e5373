-- The dictionary of charted items.
-- Grain: one row per itemid.
select
    itemid,
    label
from {{ read_raw('mimiciv_icu', 'd_items') }}

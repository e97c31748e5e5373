-- The dictionary of charted items.
-- Grain: one row per itemid.
select
    itemid,
    label
from {{ source('mimiciv_icu', 'd_items') }}

-- The dictionary of charted items.
-- Grain: one row per itemid.
{{ config(post_hook=["{{ stop_at_bad_keys(this, 'itemid', 'icu/d_items') }}"]) }}

select
    itemid,
    label
from {{ source('mimiciv_icu', 'd_items') }}

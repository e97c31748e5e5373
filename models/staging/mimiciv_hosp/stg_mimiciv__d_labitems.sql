-- The dictionary of laboratory tests.
-- Grain: one row per itemid.
{{ config(post_hook=["{{ stop_at_bad_keys(this, 'itemid', 'hosp/d_labitems') }}"]) }}

select
    itemid,
    label
from {{ source('mimiciv_hosp', 'd_labitems') }}

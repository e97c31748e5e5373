-- Urine as charted: of outputevents' rows those whose itemid seeds/concepts/urine_items.csv names, streamed once and
-- sorted.
-- Grain: one row per row of outputevents.
with

outputevents as (
    select * from {{ source('mimiciv_icu', 'outputevents') }}
),

-- one row, since the stream has no statistics (stg_mimiciv__chartevents)
items as (
    select list(itemid) as itemids from {{ ref('urine_items') }}
),

final as (
    select
        stay_id,
        itemid,
        charttime,
        value,
        nullif(trim(valueuom), '') as valueuom
    from outputevents
    where list_contains((select itemids from items), itemid)
)

select * from final
order by stay_id, charttime, itemid, value, valueuom

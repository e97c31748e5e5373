-- Vital signs, ventilator and airway as charted: of the hundreds of millions of rows of chartevents those whose itemid
-- is in seeds/concepts/vital_signs.csv or respiratory_items.csv, streamed once and sorted. Windows, cohorts and
-- protocols are derived from this table, so no setting makes the raw file be read again; other items or another
-- intubated_text do.
-- Grain: one row per row of chartevents; a (stay, time, item) may occur more than once.
with

chartevents as (
    select * from {{ source('mimiciv_icu', 'chartevents') }}
),

tubes as (
    select list(row(itemid, intubated_text)) filter (where intubated_text is not null) as tubes
    from {{ ref('vital_signs') }}
),

respiratory_items as (
    select list(distinct itemid) as itemids from {{ ref('respiratory_items') }}
),

-- One row instead of a join: the stream has no statistics, so DuckDB would take it for the smaller side of the join
-- and hold all of it in memory. The items are a set of bits, which takes half the time of a list: one bit for each
-- itemid from the first to the last.
kept as (
    select
        min(itemid) as first_id,
        max(itemid) as last_id,
        bitstring_agg(itemid) as ids
    from (
        select itemid from {{ ref('vital_signs') }}
        union all
        select itemid from {{ ref('respiratory_items') }}
    ) as items
),

final as (
    select
        chartevents.stay_id,
        chartevents.itemid,
        chartevents.charttime,
        chartevents.storetime,
        chartevents.valuenum,
        -- A verbal score of 1 due to intubation says nothing about consciousness; the charted text marks it.
        coalesce(list_contains((select tubes from tubes), row(chartevents.itemid, chartevents.value)), false) as is_intubated,
        if(
            list_contains((select itemids from respiratory_items), chartevents.itemid), nullif(trim(chartevents.value), ''), null
        ) as text
    from chartevents
    cross join kept
    where
        chartevents.itemid between kept.first_id and kept.last_id
        and get_bit(kept.ids, chartevents.itemid - kept.first_id) = 1
)

select * from final
order by stay_id, charttime, itemid, storetime, valuenum, is_intubated, text

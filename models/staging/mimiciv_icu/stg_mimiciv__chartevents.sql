-- Vital signs as charted: of chartevents' hundreds of millions of rows those whose itemid
-- seeds/concepts/vital_signs.csv names, streamed once and sorted. Windows, cohorts and protocols are cut from
-- this table; only another file, or other items, make the raw one be read again.
-- Grain: one row per row of chartevents; a (stay, time, item) may stand twice.
with

chartevents as (
    select * from {{ source('mimiciv_icu', 'chartevents') }}
),

-- One row, since the stream has no statistics: DuckDB would take it for the smaller side of a join, and
-- keep all of it in memory.
items as (
    select
        list(itemid) as itemids,
        list(row(itemid, intubated_text)) filter (where intubated_text is not null) as tubes
    from {{ ref('vital_signs') }}
),

final as (
    select
        stay_id,
        itemid,
        charttime,
        storetime,
        valuenum,
        -- A verbal score of 1 because of the tube says nothing about the brain: charted as a text beside it.
        coalesce(list_contains((select tubes from items), row(itemid, value)), false) as is_intubated
    from chartevents
    where list_contains((select itemids from items), itemid)
)

select * from final
order by stay_id, charttime, itemid, storetime, valuenum, is_intubated

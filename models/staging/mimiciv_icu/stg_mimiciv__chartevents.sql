-- Vital signs as charted: of the hundreds of millions of rows of chartevents those whose itemid is in
-- seeds/vital_signs.csv, streamed once and sorted. Windows, cohorts and protocols are derived from this
-- table, so no setting makes the raw file be read again; other items or another intubated_text do.
-- Grain: one row per row of chartevents; a (stay, time, item) may occur more than once.
with

chartevents as (
    select * from {{ source('mimiciv_icu', 'chartevents') }}
),

-- One row of lists instead of a join: the stream has no statistics, so DuckDB would take it for the
-- smaller side of the join and hold all of it in memory.
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
        -- A verbal score of 1 due to intubation says nothing about consciousness; the charted text marks it.
        coalesce(list_contains((select tubes from items), row(itemid, value)), false) as is_intubated
    from chartevents
    where list_contains((select itemids from items), itemid)
)

select * from final
order by stay_id, charttime, itemid, storetime, valuenum, is_intubated

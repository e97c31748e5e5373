-- Vital signs, ventilator and airway as charted: of the hundreds of millions of rows of chartevents those whose itemid
-- is in seeds/concepts/vital_signs.csv or respiratory_items.csv, streamed once and sorted. Windows, cohorts and
-- protocols are derived from this table, so no setting makes the raw file be read again; other items or another
-- intubated_text do.
-- Grain: one row per row of chartevents; a (stay, time, item) may occur more than once.
with

chartevents as (
    select * from {{ source('mimiciv_icu', 'chartevents') }}
),

-- One row of lists each instead of a join: the stream has no statistics, so DuckDB would take it for the
-- smaller side of the join and hold all of it in memory.
vital_signs as (
    select
        list(itemid) as itemids,
        list(row(itemid, intubated_text)) filter (where intubated_text is not null) as tubes
    from {{ ref('vital_signs') }}
),

respiratory_items as (
    select list(distinct itemid) as itemids from {{ ref('respiratory_items') }}
),

final as (
    select
        stay_id,
        itemid,
        charttime,
        storetime,
        valuenum,
        -- A verbal score of 1 due to intubation says nothing about consciousness; the charted text marks it.
        coalesce(list_contains((select tubes from vital_signs), row(itemid, value)), false) as is_intubated,
        if(list_contains((select itemids from respiratory_items), itemid), nullif(trim(value), ''), null) as text
    from chartevents
    where
        list_contains((select itemids from vital_signs), itemid)
        or list_contains((select itemids from respiratory_items), itemid)
)

select * from final
order by stay_id, charttime, itemid, storetime, valuenum, is_intubated, text

-- Medications and fluids as charted: of inputevents' millions of rows those whose itemid
-- seeds/concepts/medication_groups.csv names, streamed once and sorted.
-- Grain: one row per row of inputevents: a time at one rate, or what was given at once.
with

inputevents as (
    select * from {{ source('mimiciv_icu', 'inputevents') }}
),

-- One row, since the stream has no statistics: DuckDB would take it for the smaller side of a join, and
-- keep all of it in memory.
items as (
    select list(itemid) as itemids from {{ ref('medication_groups') }}
),

final as (
    select
        stay_id,
        itemid,
        starttime,
        endtime,
        storetime,
        amount,
        nullif(trim(amountuom), '') as amountuom,
        rate,
        nullif(trim(rateuom), '') as rateuom,
        patientweight,
        nullif(trim(statusdescription), '') as statusdescription
    from inputevents
    where list_contains((select itemids from items), itemid)
)

select * from final
order by stay_id, starttime, itemid, endtime, storetime, rate, amount, rateuom, amountuom, patientweight, statusdescription

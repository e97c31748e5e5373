-- Vital signs as charted: of chartevents' hundreds of millions of rows those whose itemid
-- seeds/vital_signs.csv names, streamed once and sorted. Windows, cohorts and protocols are cut from
-- this table; only another file, or other items, make the raw one be read again.
-- Grain: one row per row of chartevents; a (stay, time, item) may stand twice.
-- depends_on: {{ ref('vital_signs') }}
-- The big file comes last, so that a fault in a small one shows in seconds, not after the stream.
-- depends_on: {{ ref('stg_mimiciv__icustays') }} {{ ref('stg_mimiciv__admissions') }} {{ ref('stg_mimiciv__patients') }}
-- depends_on: {{ ref('stg_mimiciv__d_items') }} {{ ref('stg_mimiciv__radiology') }} {{ ref('stg_mimic_cxr__metadata') }}
select
    stay_id,
    itemid,
    charttime,
    storetime,
    valuenum,
    -- A verbal score of 1 because of the tube says nothing about the brain: charted as a text beside it.
    coalesce(value = {{ intubated_text('itemid') }}, false) as is_intubated
from {{ source('mimiciv_icu', 'chartevents') }}
where itemid in ({{ vital_itemids() }})
order by stay_id, charttime, itemid, storetime, valuenum, is_intubated

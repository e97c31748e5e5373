-- Laboratory values as reported: of labevents' more than a hundred million rows those whose itemid
-- seeds/concepts/lab_tests.csv or blood_gas_items.csv names, of patients with an ICU stay, streamed once and sorted.
-- Grain: one row per row of labevents; a (patient, time, item) may stand twice.
with

labevents as (
    select * from {{ source('mimiciv_hosp', 'labevents') }}
),

-- One row each, since the stream has no statistics: DuckDB would take it for the smaller side of a join, and
-- keep all of it in memory. Items and patients are sets of bits, one a key from the first to the last.
items as (
    select
        min(itemid) as first_id,
        max(itemid) as last_id,
        bitstring_agg(itemid) as ids
    from (
        select itemid from {{ ref('lab_tests') }}
        union all
        select itemid from {{ ref('blood_gas_items') }}
    ) as tests
),

blood_gas_items as (
    select list(itemid) as itemids from {{ ref('blood_gas_items') }}
),

patients as (
    select
        min(subject_id) as first_id,
        max(subject_id) as last_id,
        bitstring_agg(subject_id) as ids
    from {{ ref('stg_mimiciv__icustays') }}
),

final as (
    select
        labevents.subject_id,
        labevents.hadm_id,
        labevents.specimen_id,
        labevents.itemid,
        labevents.charttime,
        labevents.storetime,
        labevents.valuenum,
        nullif(trim(labevents.valueuom), '') as valueuom,
        -- of a blood gas: the specimen's type is a text
        if(
            list_contains((select itemids from blood_gas_items), labevents.itemid), nullif(trim(labevents.value), ''), null
        ) as text
    from labevents
    cross join items
    cross join patients
    where
        labevents.itemid between items.first_id and items.last_id
        and get_bit(items.ids, labevents.itemid - items.first_id) = 1
        and labevents.subject_id between patients.first_id and patients.last_id
        and get_bit(patients.ids, labevents.subject_id - patients.first_id) = 1
)

select * from final
order by subject_id, charttime, itemid, storetime, valuenum, specimen_id, hadm_id, valueuom, text

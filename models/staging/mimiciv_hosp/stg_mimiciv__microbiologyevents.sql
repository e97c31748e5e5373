-- When specimens were taken for microbiology, of patients with an ICU stay, streamed once and sorted.
-- Grain: one row per row of microbiologyevents: a specimen has one for each test, organism and antibiotic.
with

microbiologyevents as (
    select * from {{ source('mimiciv_hosp', 'microbiologyevents') }}
),

-- The patients are a set of bits, one a subject_id from the first to the last; one row, since the stream has no
-- statistics (stg_mimiciv__labevents).
patients as (
    select
        min(subject_id) as first_id,
        max(subject_id) as last_id,
        bitstring_agg(subject_id) as ids
    from {{ ref('stg_mimiciv__icustays') }}
),

final as (
    select
        microbiologyevents.subject_id,
        microbiologyevents.micro_specimen_id,
        microbiologyevents.chartdate,
        microbiologyevents.charttime
    from microbiologyevents
    cross join patients
    where
        microbiologyevents.subject_id between patients.first_id and patients.last_id
        and get_bit(patients.ids, microbiologyevents.subject_id - patients.first_id) = 1
)

select * from final
order by subject_id, chartdate, charttime, micro_specimen_id

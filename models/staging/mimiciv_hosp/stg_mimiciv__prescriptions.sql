-- Prescriptions of patients with an ICU stay, streamed once and sorted.
-- Grain: one row per row of prescriptions.
with

prescriptions as (
    select * from {{ source('mimiciv_hosp', 'prescriptions') }}
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
        prescriptions.subject_id,
        prescriptions.hadm_id,
        prescriptions.starttime,
        prescriptions.stoptime,
        prescriptions.drug_type,
        prescriptions.drug,
        prescriptions.route
    from prescriptions
    cross join patients
    where
        prescriptions.subject_id between patients.first_id and patients.last_id
        and get_bit(patients.ids, prescriptions.subject_id - patients.first_id) = 1
)

select * from final
order by subject_id, starttime, drug, route, stoptime, drug_type, hadm_id

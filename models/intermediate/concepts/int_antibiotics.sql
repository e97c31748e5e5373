-- Antibiotics that were prescribed for systemic use, not for eyes, ears or skin.
-- Rules: seeds/concepts/antibiotic_words.csv, after the MIMIC Code Repository (antibiotic). As there, a prescription without
-- a route is not one of them.
-- Grain: one row per prescription.
{{ config(materialized='table') }}

with prescriptions as (
    select * from {{ ref('stg_mimiciv__prescriptions') }}
    where drug_type <> 'BASE'
),

words as (
    select * from {{ ref('antibiotic_words') }}
),

-- far fewer than prescriptions: each is compared with each word
drugs as (
    select distinct
        drug,
        route
    from prescriptions
    where route is not null
),

judged as (
    select
        drugs.drug,
        drugs.route
    from drugs
    inner join words
        on
            case words.found_in when 'drug' then drugs.drug else drugs.route end = words.word
            or (
                words.match = 'contains'
                and contains(lower(case words.found_in when 'drug' then drugs.drug else drugs.route end), words.word)
            )
    group by drugs.drug, drugs.route
    having bool_or(words.means = 'antibiotic') and not bool_or(words.means = 'not systemic')
),

final as (
    select
        prescriptions.subject_id,
        prescriptions.hadm_id,
        prescriptions.drug,
        prescriptions.route,
        prescriptions.starttime as started_at,
        prescriptions.stoptime as stopped_at
    from prescriptions
    inner join judged on prescriptions.drug = judged.drug and prescriptions.route = judged.route
    where prescriptions.starttime is not null
)

select * from final

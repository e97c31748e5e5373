-- Does the patient have sepsis (Sepsis-3) at any time of the ICU stay? This is identification, not prediction: most of
-- who are septic are so within the window, and what makes them septic is among the features. sepsis3_onset predicts.
-- The label is of the stay as a whole, which is seen at its end; criteria_met_at says when the criteria were met.
-- Grain: one row per stay of the cohort.
with cohort as (
    select * from {{ ref('cohort') }}
),

asked as (
    select
        cohort.stay_id,
        cohort.outtime,
        sepsis.met_at,
        sepsis.antibiotic_at,
        sepsis.culture_at,
        sepsis.sofa_at,
        sepsis.sofa,
        {{ no_file_of('task_sepsis3') }} as excluded_because
    from cohort
    left join {{ ref('int_sepsis3') }} as sepsis on cohort.stay_id = sepsis.stay_id
),

final as (
    select
        stay_id,
        if(excluded_because is null, cast(met_at is not null as integer), null) as label,
        excluded_because,
        greatest(outtime, met_at) as decided_at,
        met_at as criteria_met_at,
        antibiotic_at,
        culture_at,
        sofa_at,
        sofa
    from asked
)

select * from final

-- Stays with sepsis by Sepsis-3: an infection suspected by an antibiotic begun in the stay, and a SOFA score of 2 or
-- more at the end of an hour from 48 hours before the suspicion to 24 hours after it. The score before the illness counts
-- as 0, because it is not known.
-- Rules: Singer et al. 2016 (JAMA), as in the MIMIC Code Repository (sepsis3).
-- Grain: one row per stay with sepsis.
{{ config(materialized='table') }}

with stays as (
    select * from {{ ref('int_stays') }}
),

suspicions as (
    select
        stays.stay_id,
        suspicions.suspected_at,
        suspicions.antibiotic_at,
        suspicions.culture_at
    from {{ ref('int_suspicion_of_infection') }} as suspicions
    inner join stays
        on
            suspicions.subject_id = stays.subject_id
            and suspicions.antibiotic_at >= stays.intime
            and suspicions.antibiotic_at < stays.outtime
),

failing as (
    select
        hours.stay_id,
        hours.sofa,
        stays.intime + to_hours(hours.hour + 1) as ends_at
    from {{ ref('int_sofa_hourly') }} as hours
    inner join stays on hours.stay_id = stays.stay_id
    where hours.sofa >= 2
),

met as (
    select
        suspicions.*,
        failing.sofa,
        failing.ends_at as sofa_at,
        greatest(suspicions.antibiotic_at, suspicions.culture_at, failing.ends_at) as met_at
    from suspicions
    inner join failing
        on
            suspicions.stay_id = failing.stay_id
            and failing.ends_at >= suspicions.suspected_at - interval 48 hour
            and failing.ends_at <= suspicions.suspected_at + interval 24 hour
),

final as (
    select
        stay_id,
        min(suspected_at) over (partition by stay_id) as suspected_at,
        met_at,
        antibiotic_at,
        culture_at,
        sofa_at,
        cast(sofa as integer) as sofa
    from met
    qualify row_number() over (partition by stay_id order by met_at, antibiotic_at, culture_at, sofa_at) = 1
)

select * from final

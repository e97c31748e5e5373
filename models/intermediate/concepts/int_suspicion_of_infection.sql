-- When an infection was suspected: an antibiotic begun up to 72 hours after a culture, or a culture taken up to 24 hours
-- after an antibiotic; by days where only the day of the culture is known. The earlier of the two is the time of the
-- suspicion. An antibiotic and a culture at the same time are no pair.
-- Rules: Seymour et al. 2016 (JAMA), as in the MIMIC Code Repository (suspicion_of_infection).
-- Grain: one row per admission and time at which an antibiotic begins.
{{ config(materialized='table') }}

with antibiotics as (
    select distinct
        subject_id,
        hadm_id,
        started_at as antibiotic_at
    from {{ ref('int_antibiotics') }}
),

cultures as (
    select
        subject_id,
        taken_on,
        taken_at,
        coalesce(taken_at, taken_on) as culture_at,
        -- the earliest counts; of a day, those whose time is known first
        coalesce(taken_at, taken_on + interval 1 day - interval 1 microsecond) as place
    from {{ ref('int_cultures') }}
),

pairs as (
    select
        antibiotics.subject_id,
        antibiotics.hadm_id,
        antibiotics.antibiotic_at,
        cultures.culture_at,
        cultures.place,
        if(
            cultures.taken_at is null,
            cast(antibiotics.antibiotic_at as date) between cultures.taken_on and cultures.taken_on + interval 3 day,
            antibiotics.antibiotic_at > cultures.taken_at
            and antibiotics.antibiotic_at <= cultures.taken_at + interval 72 hour
        ) as is_culture_first,
        if(
            cultures.taken_at is null,
            cast(antibiotics.antibiotic_at as date) between cultures.taken_on - interval 1 day and cultures.taken_on,
            antibiotics.antibiotic_at >= cultures.taken_at - interval 24 hour
            and antibiotics.antibiotic_at < cultures.taken_at
        ) as is_antibiotic_first
    from antibiotics
    inner join cultures on antibiotics.subject_id = cultures.subject_id
),

chosen as (
    select
        subject_id,
        hadm_id,
        antibiotic_at,
        arg_min(culture_at, place) filter (where is_culture_first) as culture_before,
        arg_min(culture_at, place) filter (where is_antibiotic_first) as culture_after
    from pairs
    where is_culture_first or is_antibiotic_first
    group by subject_id, hadm_id, antibiotic_at
),

final as (
    select
        subject_id,
        hadm_id,
        antibiotic_at,
        coalesce(culture_before, culture_after) as culture_at,
        coalesce(culture_before, antibiotic_at) as suspected_at
    from chosen
)

select * from final

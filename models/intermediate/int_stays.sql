-- Every ICU stay with its patient and admission: times, demographics, outcome.
-- Grain: one row per ICU stay of MIMIC-IV, before any rule of the cohort.
{{ config(materialized='table', post_hook=[
    "{{ stop_at_rows('select stay_id from ' ~ this ~ ' where patient_id is null',
        'icu/icustays: a stay has a subject_id that hosp/patients does not have', 'The two files are of different releases, or one is cut: fetch both again.') }}",
    "{{ stop_at_rows('select stay_id from ' ~ this ~ ' where admission_id is null',
        'icu/icustays: a stay has a hadm_id that hosp/admissions does not have', 'The two files are of different releases, or one is cut: fetch both again.') }}",
    "{{ stop_at_rows('select stay_id from ' ~ this ~ ' where age not between 0 and 120',
        'hosp/admissions: an admittime makes an age below 0 or above 120 of the anchor_age and anchor_year', 'Correct the three, or fetch both files again.') }}",
]) }}

with stays as (
    select * from {{ ref('stg_mimiciv__icustays') }}
),

admissions as (
    select * from {{ ref('stg_mimiciv__admissions') }}
),

patients as (
    select * from {{ ref('stg_mimiciv__patients') }}
),

-- Races are grouped by what their text contains; the first pattern wins.
races as (
    select
        admissions.race,
        arg_min(race_groups.race_group, race_groups.priority) as race_group
    from (select distinct race from admissions) as admissions
    inner join {{ ref('race_groups') }} as race_groups on contains(upper(admissions.race), race_groups.pattern)
    group by admissions.race
),

joined as (
    select
        stays.*,
        patients.subject_id as patient_id,
        admissions.hadm_id as admission_id,
        {{ hours_after('stays.intime', setting('window_start_hours')) }} as window_start,
        {{ hours_after('stays.intime', setting('window_end_hours')) }} as window_end,
        {{ hours_since('stays.intime', 'stays.outtime') }} / 24 as los_days,
        -- MIMIC shifts each patient's dates; the age at admission comes from the anchor (PhysioNet).
        patients.anchor_age + year(admissions.admittime) - patients.anchor_year as age,
        {{ era_year('left', 'patients', 'stays.intime') }} as era_from,
        {{ era_year('right', 'patients', 'stays.intime') }} as era_to,
        coalesce(nullif(trim(patients.gender), ''), 'UNKNOWN') as gender,
        coalesce(nullif(trim(admissions.race), ''), 'UNKNOWN') as race,
        coalesce(races.race_group, 'OTHER') as race_group,
        coalesce(nullif(trim(admissions.marital_status), ''), 'UNKNOWN') as marital_status,
        -- '?' in release 2.2; mixed case from 3.0 on
        coalesce(nullif(nullif(trim(upper(admissions.language)), '?'), ''), 'UNKNOWN') as language,
        coalesce(nullif(trim(admissions.insurance), ''), 'UNKNOWN') as insurance,
        admissions.admittime,
        admissions.dischtime,
        admissions.hospital_expire_flag,
        coalesce(
            admissions.deathtime,
            if(admissions.hospital_expire_flag = 1, admissions.dischtime, null)
        ) as died_at,
        -- X-rays and reports have no stay_id: those between this time and outtime belong to the stay.
        least(admissions.admittime, admissions.edregtime, stays.intime) as matched_from
    from stays
    left join admissions on stays.hadm_id = admissions.hadm_id and stays.subject_id = admissions.subject_id
    left join patients on stays.subject_id = patients.subject_id
    left join races on admissions.race = races.race
),

final as (
    select
        joined.*,
        age_groups.age_group,
        max(joined.era_from) over (partition by joined.subject_id) as last_era_from
    from joined
    left join {{ ref('age_groups') }} as age_groups
        on
            (age_groups.above is null or joined.age > age_groups.above)
            and (age_groups.up_to is null or joined.age <= age_groups.up_to)
)

select * from final

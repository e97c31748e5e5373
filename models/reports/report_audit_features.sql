-- The part of reports.audit that asks whether features know what they must not, rows past the cutoff or the
-- outcome itself, and whether labels say anything. The window is reckoned anew from intime.
-- Grain: one row per check.
{{ config(alias='audit_features') }}

with settings as (
    select
        cast(variables ->> 'window_start_hours' as double) as start_hours,
        cast(variables ->> 'window_end_hours' as double) as end_hours,
        (variables ->> 'availability') = 'observed' as by_observation,
        (variables ->> 'landmark') = 'false' as without_landmark
    from {{ ref('cohort_definition') }}
),

cohort as (
    select
        cohort.*,
        cohort.intime + to_microseconds(cast(settings.start_hours * 3.6e9 as bigint)) as opens_at,
        cohort.intime + to_microseconds(cast(settings.end_hours * 3.6e9 as bigint)) as closes_at
    from {{ ref('cohort') }} as cohort
    cross join settings
),

stays as (
    select * from {{ ref('int_stays') }}
),

images as (
    select * from {{ ref('images') }}
),

reports as (
    select * from {{ ref('reports') }}
),

profiles as (
    select * from {{ ref('patient_profiles') }}
),
{% for mart in ['vitals_events', 'images', 'reports'] %}
{{ mart }}_in_time as (
    select
        found.stay_id,
        case
            when cohort.stay_id is null then 'not of the cohort'
            when found.observed_at < cohort.opens_at then 'observed before the window'
            when found.observed_at >= cohort.closes_at then 'observed after the window'
            when found.available_at >= cohort.closes_at then 'stored after the window'
        end as problem,
        settings.by_observation and problem = 'stored after the window' as is_chosen
    from {{ ref(mart) }} as found
    left join cohort on found.stay_id = cohort.stay_id
    cross join settings
),
{% endfor %}
discharge_summaries as (
    select
        stay_id,
        if(note_id like '%-DS-%', 'discharge summary', null) as problem,
        false as is_chosen
    from reports
),

profile_images as (
    select
        profiles.stay_id,
        if(images.stay_id is null, 'X-ray that is not in marts.images', null) as problem,
        false as is_chosen
    from profiles
    left join images on profiles.stay_id = images.stay_id and profiles.latest_dicom_id = images.dicom_id
    where profiles.latest_dicom_id is not null
),

outcomes as (
    select
        cohort.stay_id,
        case
            when stays.died_at <= cohort.closes_at then 'died in the window'
            when cohort.outtime < cohort.closes_at or cohort.outtime is null then 'left the ICU in the window'
        end as problem,
        settings.without_landmark as is_chosen
    from cohort
    left join stays on cohort.stay_id = stays.stay_id
    cross join settings
),

labels as (
    select
        labels.stay_id,
        case
            when coalesce(min(labels.label) over of_task = max(labels.label) over of_task, true)
                then labels.task
            -- a small split may be of one class by chance
            when min(labels.label) over of_split = max(labels.label) over of_split and count(labels.label) over of_split >= 50
                then labels.task || ' in ' || cohort.split
        end as problem,
        false as is_chosen
    from {{ ref('labels') }} as labels
    inner join cohort on labels.stay_id = cohort.stay_id
    window of_task as (partition by labels.task), of_split as (partition by labels.task, cohort.split)
),

final as (
    {{ audit_checks({
        'vitals_events_past_cutoff': 'vitals_events_in_time',
        'images_past_cutoff': 'images_in_time',
        'reports_past_cutoff': 'reports_in_time',
        'discharge_summaries': 'discharge_summaries',
        'profile_images_past_cutoff': 'profile_images',
        'outcome_in_window': 'outcomes',
        'labels_constant': 'labels',
    }) }}
)

select * from final

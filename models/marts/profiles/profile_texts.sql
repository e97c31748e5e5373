-- The whole profile of each stay as one text for text encoders: marts.patient_profiles, without the sentence on the
-- picture that the template of the paper has, since an encoder of texts is shown none. Its rows have the columns of all
-- modalities of texts; the profile is as of the end of the window, or of the stay if that is earlier.
-- Grain: one row per stay of the cohort.
{{ config(materialized='view') }}

with cohort as (
    select
        *,
        least(window_end, outtime) as ended_at
    from {{ ref('cohort') }}
),

profiles as (
    select * from {{ ref('patient_profiles') }}
),

final as (
    select
        profiles.stay_id,
        'profile' as note_id,
        cohort.ended_at as observed_at,
        cohort.ended_at as available_at,
        {{ hours_since('cohort.intime', 'cohort.ended_at') }} as hours,
        array_to_string(
            flatten(list_transform(
                list_filter(profiles.sections, lambda section: section.section != 'image'),
                lambda section: [section.heading] || list_transform(section.lines, lambda line: line.text)
            )),
            chr(10)
        ) as text
    from profiles
    inner join cohort on profiles.stay_id = cohort.stay_id
)

select * from final

-- Each stay as a text for multimodal learners: demographics (seeds/tabular_variables.csv), the vital
-- signs of the last hours of the window, the radiology reports; all on one clock, hours from ICU
-- admission. Once whole, and once in the sections and lines that it is made of, for those who must
-- leave some out. And the X-ray to show beside it: the latest.
-- Grain: one row per stay of the cohort.
with cohort as (
    select * from {{ ref('cohort') }}
),

tabular_values as (
    unpivot (
        select
            stay_id,
            cast(columns(* exclude (stay_id)) as varchar)
        from cohort
    )
    on columns(* exclude (stay_id)) into name variable value value
),

demographics as (
    select
        tabular_values.stay_id,
        string_agg(
            concat(variables.profile_text, ' ', tabular_values.value), '; '
            order by variables.position
        ) as text
    from tabular_values
    inner join {{ ref('tabular_variables') }} as variables on tabular_values.variable = variables.variable
    group by tabular_values.stay_id
),

vitals as (
    select
        events.stay_id,
        list(
            struct_pack(
                hours := events.hours,
                text := concat_ws(
                    ' ', printf('- %.1f h:', events.hours), variables.label, printf('%g', round(events.value, 1)),
                    variables.unit, if(events.is_intubated, '(intubated)', null)
                )
            )
            order by events.observed_at, variables.label, events.value, events.is_intubated
        ) as lines
    from {{ ref('vitals_events') }} as events
    inner join {{ ref('int_variables') }} as variables on events.variable = variables.variable
    where events.hours >= {{ setting('window_end_hours') }} - {{ setting('profile_hours') }}
    group by events.stay_id
),

reports as (
    select
        stay_id,
        list(
            struct_pack(hours := hours, text := printf('- %.1f h: %s', hours, trim(text, e' \t\r\n')))
            order by observed_at, note_id
        ) as lines
    from {{ ref('reports') }}
    group by stay_id
),

latest_images as (
    select
        stay_id,
        arg_max(dicom_id, (available_at, dicom_id)) as dicom_id
    from {{ ref('images') }}
    group by stay_id
),

final as (
    select
        cohort.stay_id,
        [
            struct_pack(
                section := 'demographics',
                heading := 'Demographics: ' || demographics.text || '.',
                lines := []
            ),
            struct_pack(
                section := 'vitals',
                heading := 'Vital signs of the last {{ setting("profile_hours") }} h, with hours from ICU admission:',
                lines := coalesce(vitals.lines, [struct_pack(hours := null, text := 'none recorded')])
            ),
            struct_pack(
                section := 'reports',
                heading := 'Radiology reports, with hours from ICU admission:',
                lines := coalesce(reports.lines, [struct_pack(hours := null, text := 'none available')])
            )
        ] as sections,
        array_to_string(
            flatten(list_transform(
                sections, lambda section: [section.heading] || list_transform(section.lines, lambda line: line.text)
            )),
            chr(10)
        ) as profile,
        latest_images.dicom_id as latest_dicom_id
    from cohort
    inner join demographics on cohort.stay_id = demographics.stay_id
    left join vitals on cohort.stay_id = vitals.stay_id
    left join reports on cohort.stay_id = reports.stay_id
    left join latest_images on cohort.stay_id = latest_images.stay_id
    order by cohort.stay_id
)

select * from final

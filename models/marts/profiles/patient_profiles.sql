-- Each stay as a text for multimodal learners: demographics (seeds/tabular_variables.csv), vital signs and
-- radiology reports, all in hours from ICU admission. Once as a whole, and once as sections and lines, so that a
-- prompt can leave some out. Also the X-ray to show with it: the latest.
-- The setting profile_template chooses the wording. compact: an empty section says that it is empty. paper: as in
-- the paper's public code, empty sections are left out, and a sentence refers to the image.
-- Grain: one row per stay of the cohort.
{%- set of_paper = setting('profile_template') == 'paper' %}
{%- set added = [] %}
{%- for modality in modalities() if modality.name in setting('profile_sections') and modality.profile != 'patient_profiles' %}
    {%- do added.append(modality) %}
{%- endfor %}
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
        list(
            struct_pack(name := variables.profile_text, value := tabular_values.value)
            order by variables.position
        ) as facts
    from tabular_values
    inner join {{ ref('tabular_variables') }} as variables on tabular_values.variable = variables.variable
    group by tabular_values.stay_id
),

-- A report filed twice, under two note_ids, is included once.
filed_once as (
    select *
    from {{ ref('radiology_reports') }}
    qualify row_number() over (partition by stay_id, observed_at, text order by note_id) = 1
),

texts as (
    select
        'text' as section,
        stay_id,
        hours,
        row_number() over (partition by stay_id order by observed_at, note_id) as position,
        trim(text, e' \t\r\n') as text
    from filed_once
    {%- for modality in added %}

    union all

    select
        '{{ modality.name }}' as section,
        stay_id,
        hours,
        position,
        text
    from {{ ref(modality.profile) }}
    {%- endfor %}
),

lines as (
    select
        section,
        stay_id,
        hours,
        position,
        {% if of_paper -%}
        concat('- Time from ICU Admission: ', round(hours, 2), ' hours', chr(10), '    - Report Text: ', text) as text
        {%- else -%}
        printf('- %.1f h: %s', hours, text) as text
        {%- endif %}
    from texts

    union all

    select
        'vitals' as section,
        *
    from {{ ref('profile_vitals') }}
),

lines_of_sections as (
    select
        stay_id,
        section,
        list(struct_pack(hours := hours, text := text) order by hours, position, text) as lines
    from lines
    group by stay_id, section
),

lines_of_stays as (
    select
        stay_id,
        map_from_entries(list((section, lines))) as lines
    from lines_of_sections
    group by stay_id
),

latest_images as (
    select
        stay_id,
        arg_max(dicom_id, (available_at, dicom_id)) as dicom_id
    from {{ ref('chest_xrays') }}
    group by stay_id
),

sections_of_stays as (
    select
        cohort.stay_id,
        latest_images.dicom_id as latest_dicom_id,
        [
            {%- if of_paper %}
            struct_pack(
                section := 'demographics',
                heading := 'Patient Demographics:',
                lines := list_transform(demographics.facts, lambda fact: struct_pack(
                    hours := cast(null as double),
                    text := concat(
                        '- ',
                        array_to_string(
                            list_transform(string_split(fact.name, ' '), lambda word: upper(word[1]) || word[2:]), ' '
                        ),
                        ': ', fact.value
                    )
                ))
            ),
            struct_pack(
                section := 'vitals',
                heading := 'Vital Signs:',
                lines := coalesce(told.lines['vitals'], [])
            ),
            struct_pack(
                section := 'image',
                heading := 'Chest X-Ray Images:',
                lines := if(latest_images.dicom_id is null, [], [struct_pack(
                    hours := cast(null as double), text := '- The uploaded image is the most recent chest X-ray image.'
                )])
            ),
            struct_pack(
                section := 'text',
                heading := 'Radiology Reports:',
                lines := coalesce(told.lines['text'], [])
            )
            {%- for modality in added %},
            struct_pack(
                section := '{{ modality.name }}',
                heading := {{ text_literal(modality.heading ~ ':') }},
                lines := coalesce(told.lines['{{ modality.name }}'], [])
            )
            {%- endfor %}
            {%- else %}
            struct_pack(
                section := 'demographics',
                heading := concat(
                    'Demographics: ',
                    array_to_string(list_transform(demographics.facts, lambda fact: concat(fact.name, ' ', fact.value)), '; '),
                    '.'
                ),
                lines := []
            ),
            struct_pack(
                section := 'vitals',
                heading :=
                {%- if setting('profile_vitals') == 'last_value' %} 'Vital signs, the last value of each that was measured'
                {%- else %} 'Vital signs of the last {{ setting('profile_hours') }} h before the last measurement'
                {%- endif %} || ', with hours from ICU admission:',
                lines := coalesce(told.lines['vitals'], [struct_pack(hours := null, text := 'none recorded')])
            ),
            struct_pack(
                section := 'text',
                heading := 'Radiology reports, with hours from ICU admission:',
                lines := coalesce(told.lines['text'], [struct_pack(hours := null, text := 'none available')])
            )
            {%- for modality in added %},
            struct_pack(
                section := '{{ modality.name }}',
                heading := {{ text_literal(modality.heading ~ ', with hours from ICU admission:') }},
                lines := coalesce(
                    told.lines['{{ modality.name }}'], [struct_pack(hours := null, text := 'none recorded')]
                )
            )
            {%- endfor %}
            {%- endif %}
        ] as all_sections
    from cohort
    inner join demographics on cohort.stay_id = demographics.stay_id
    left join lines_of_stays as told on cohort.stay_id = told.stay_id
    left join latest_images on cohort.stay_id = latest_images.stay_id
),

final as (
    select
        stay_id,
        list_filter(
            all_sections,
            lambda section: section.section in ({{ text_list(setting('profile_sections')) }})
            {%- if of_paper %} and len(section.lines) > 0{% endif %}
        ) as sections,
        array_to_string(
            flatten(list_transform(
                sections, lambda section: [section.heading] || list_transform(section.lines, lambda line: line.text)
            )),
            chr(10)
        ) as profile,
        latest_dicom_id
    from sections_of_stays
    order by stay_id
)

select * from final

{#- The words of models/marts/patient_profiles.sql, which says what is told of a stay; the setting
    profile_template chooses. `compact`: a line a value, and a section that is empty says so. `paper`: as in
    the paper's public code, a block for each time, no section where there is nothing to tell, and a sentence
    on the picture. -#}

{#- Rows: stay_id, hours, position, text. -#}
{% macro compact_vital_lines() %}
    select
        listed.stay_id,
        listed.hours,
        vital_signs.position,
        concat_ws(
            ' ',
            printf('- %.1f h:', listed.hours),
            vital_signs.label,
            if(listed.value is null, 'not testable', printf('%g', round(listed.value, 1))),
            if(listed.value is null, null, vital_signs.unit),
            if(listed.is_intubated, '(intubated)', null)
        ) as text
    from listed
    inner join vital_signs on listed.variable = vital_signs.variable
{%- endmacro %}


{#- The same rows. Pressures and coma scores share a line, with a dash for what was not measured then. -#}
{% macro paper_vital_lines() %}
    select
        stay_id,
        hours,
        0 as position,
        concat(
            '- Time from ICU Admission: ', round(hours, 2), ' hours',
            string_agg(concat(chr(10), '    - ', text), '' order by position)
        ) as text
    from (
        select
            times.stay_id,
            times.hours,
            min(vital_signs.position) as position,
            string_agg(
                concat(vital_signs.before, coalesce(cast(round(listed.value, 2) as varchar), '-')), ''
                order by vital_signs.position
            ) as text
        from (
            select distinct
                listed.stay_id,
                listed.hours,
                vital_signs.line
            from listed
            inner join vital_signs on listed.variable = vital_signs.variable
        ) as times
        inner join vital_signs on times.line = vital_signs.line
        left join listed
            on times.stay_id = listed.stay_id
            and times.hours = listed.hours
            and vital_signs.variable = listed.variable
        group by times.stay_id, times.hours, times.line
    ) as lines_of_times
    group by stay_id, hours
{%- endmacro %}


{% macro report_line(hours, text) -%}
    {%- if setting('profile_template') == 'paper' -%}
    concat('- Time from ICU Admission: ', round({{ hours }}, 2), ' hours', chr(10), '    - Report Text: ', {{ text }})
    {%- else -%}
    printf('- %.1f h: %s', {{ hours }}, {{ text }})
    {%- endif -%}
{%- endmacro %}


{#- Modalities of which a profile tells besides those of the paper. -#}
{% macro added_sections() %}
    {%- set added = [] -%}
    {%- for modality in var('modalities') if modality.name in setting('profile_sections') and modality.profile != 'patient_profiles' -%}
        {%- do added.append(modality) -%}
    {%- endfor -%}
    {{ return(added) }}
{% endmacro %}


{#- The sections of the row of a stay. -#}
{% macro compact_sections() -%}
        [
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
                heading := '{{ compact_vitals_heading() }}, with hours from ICU admission:',
                lines := coalesce(vitals.lines, [struct_pack(hours := null, text := 'none recorded')])
            ),
            struct_pack(
                section := 'text',
                heading := 'Radiology reports, with hours from ICU admission:',
                lines := coalesce(reports.lines, [struct_pack(hours := null, text := 'none available')])
            )
            {%- for modality in added_sections() %},
            struct_pack(
                section := '{{ modality.name }}',
                heading := {{ text_literal(modality.heading ~ ', with hours from ICU admission:') }},
                lines := coalesce({{ modality.name }}_section.lines, [struct_pack(hours := null, text := 'none recorded')])
            )
            {%- endfor %}
        ]
{%- endmacro %}


{% macro compact_vitals_heading() -%}
    {%- if setting('profile_vitals') == 'last_value' -%}
    Vital signs, the last value of each that was measured
    {%- else -%}
    Vital signs of the last {{ setting('profile_hours') }} h before the last measurement
    {%- endif -%}
{%- endmacro %}


{% macro paper_sections() -%}
        list_filter(
            [
                struct_pack(
                    section := 'demographics',
                    heading := 'Patient Demographics:',
                    lines := list_transform(demographics.facts, lambda fact: struct_pack(
                        hours := cast(null as double), text := concat('- ', {{ title_case('fact.name') }}, ': ', fact.value)
                    ))
                ),
                struct_pack(section := 'vitals', heading := 'Vital Signs:', lines := coalesce(vitals.lines, [])),
                struct_pack(
                    section := 'image',
                    heading := 'Chest X-Ray Images:',
                    lines := if(latest_images.dicom_id is null, [], [struct_pack(
                        hours := cast(null as double), text := '- The uploaded image is the most recent chest X-ray image.'
                    )])
                ),
                struct_pack(section := 'text', heading := 'Radiology Reports:', lines := coalesce(reports.lines, []))
                {%- for modality in added_sections() %},
                struct_pack(
                    section := '{{ modality.name }}',
                    heading := {{ text_literal(modality.heading ~ ':') }},
                    lines := coalesce({{ modality.name }}_section.lines, [])
                )
                {%- endfor %}
            ],
            lambda section: len(section.lines) > 0
        )
{%- endmacro %}


{% macro title_case(words) -%}
    array_to_string(list_transform(string_split({{ words }}, ' '), lambda word: upper(word[1]) || word[2:]), ' ')
{%- endmacro %}

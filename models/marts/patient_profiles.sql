-- Each stay as a text for multimodal learners: demographics (seeds/tabular_variables.csv), vital signs, the
-- radiology reports; all on one clock, hours from ICU admission. Once whole, and once in the sections and
-- lines that it is made of, for those who must leave some out. And the X-ray to show beside it: the latest.
-- The setting profile_vitals says which vital signs, profile_template in which words
-- (macros/profile_template.sql).
-- Grain: one row per stay of the cohort.
{%- set template = setting('profile_template') %}
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

vital_signs as (
    select
        variables.variable,
        variables.label,
        variables.unit,
        coalesce(words.position, 1000) as position,
        coalesce(cast(words.line as varchar), variables.variable) as line,
        coalesce(words.before, variables.label || ': ') as before
    from {{ ref('int_variables') }} as variables
    left join {{ ref('profile_vital_signs') }} as words on variables.variable = words.variable
),

-- A verbal score that a tube makes untestable counts even where it has no value: an older one would stand
-- for it else.
charted as (
    select
        stay_id,
        variable,
        observed_at,
        hours,
        value,
        is_intubated
    from {{ ref('vitals_events') }}

    union all

    select
        tubes.stay_id,
        tubes.variable,
        tubes.observed_at,
        tubes.hours,
        null as value,
        true as is_intubated
    from {{ ref('int_vitals_cleaned') }} as tubes
    inner join cohort on tubes.stay_id = cohort.stay_id
    where tubes.is_intubated and tubes.value is null and {{ in_window('tubes', 'cohort') }}
),

-- Charted twice at a time is averaged, as in marts.vitals_hourly.
at_once as (
    select
        stay_id,
        variable,
        observed_at,
        hours,
        avg(value) as value,
        bool_or(is_intubated) as is_intubated
    from charted
    group by stay_id, variable, observed_at, hours
),

listed as (
    select *
    from at_once
    {%- if setting('profile_vitals') == 'last_value' %}
    qualify observed_at = max(observed_at) over (partition by stay_id, variable)
    {%- else %}
    qualify {{ hours_after('observed_at', setting('profile_hours')) }} >= max(observed_at) over (partition by stay_id)
    {%- endif %}
),

vital_lines as (
    {{- paper_vital_lines() if template == 'paper' else compact_vital_lines() }}
),

vitals as (
    select
        stay_id,
        list(struct_pack(hours := hours, text := text) order by hours, position, text) as lines
    from vital_lines
    group by stay_id
),

-- A report that is filed twice, under two names, is told once.
filed_once as (
    select *
    from {{ ref('reports') }}
    qualify row_number() over (partition by stay_id, observed_at, text order by note_id) = 1
),

reports as (
    select
        stay_id,
        list(
            struct_pack(hours := hours, text := {{ report_line('hours', "trim(text, e' \\t\\r\\n')") }})
            order by observed_at, note_id
        ) as lines
    from filed_once
    group by stay_id
),

{% for modality in added_sections() %}
{{ modality.name }}_section as (
    select
        stay_id,
        list(
            struct_pack(hours := hours, text := {{ report_line('hours', 'text') }})
            order by hours, position, text
        ) as lines
    from {{ ref(modality.profile) }}
    group by stay_id
),
{% endfor %}
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
        list_filter(
            {{ paper_sections() if template == 'paper' else compact_sections() }},
            lambda section: section.section in ({{ text_list(setting('profile_sections')) }})
        ) as sections,
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
    {%- for modality in added_sections() %}
    left join {{ modality.name }}_section on cohort.stay_id = {{ modality.name }}_section.stay_id
    {%- endfor %}
    left join latest_images on cohort.stay_id = latest_images.stay_id
    order by cohort.stay_id
)

select * from final

-- Vital signs as written in a patient profile, in the wording of the setting profile_template. compact: one line per
-- value. paper: as in the paper's public code, one block per time, in which pressures and coma scores share a line,
-- with a dash for what was not measured then (seeds/concepts/profile_vital_signs.csv).
-- Grain: one row per stay and time; under compact, per stay, time and variable.
{{ config(materialized='view', schema='intermediate') }}

with cohort as (
    select * from {{ ref('cohort') }}
),

vital_signs as (
    select
        variables.variable,
        variables.label,
        variables.unit,
        coalesce(words.position, 1000) as position,
        coalesce(cast(words.line as varchar), variables.variable) as line,
        coalesce(words.before, variables.label || ': ') as before
    from {{ ref('time_series_variables') }} as variables
    left join {{ ref('profile_vital_signs') }} as words on variables.variable = words.variable
    where variables.modality = 'vitals'
),

-- A verbal score that intubation makes untestable counts even without a value: otherwise an older score
-- would be reported in its place.
charted as not materialized (
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

-- The measurements to list; several charted at the same time are averaged, as in marts.vitals_hourly.
{%- set each = 'stay_id, variable' if setting('profile_vitals') == 'last_value' else 'stay_id' %}
latest as (
    select
        {{ each }},
        max(observed_at) as observed_at
    from charted
    group by {{ each }}
),

listed as (
    select
        charted.stay_id,
        charted.variable,
        charted.observed_at,
        charted.hours,
        avg(charted.value) as value,
        bool_or(charted.is_intubated) as is_intubated
    from charted
    semi join latest
        on
            charted.stay_id = latest.stay_id
            {%- if setting('profile_vitals') == 'last_value' %}
            and charted.variable = latest.variable
            and charted.observed_at = latest.observed_at
            {%- else %}
            and {{ hours_after('charted.observed_at', setting('profile_hours')) }} >= latest.observed_at
            {%- endif %}
    group by charted.stay_id, charted.variable, charted.observed_at, charted.hours
),

{% if setting('profile_template') == 'compact' -%}
final as (
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
)
{%- else -%}
times as (
    select distinct
        listed.stay_id,
        listed.hours,
        vital_signs.line
    from listed
    inner join vital_signs on listed.variable = vital_signs.variable
),

lines_of_times as (
    select
        times.stay_id,
        times.hours,
        min(vital_signs.position) as position,
        string_agg(
            concat(vital_signs.before, coalesce(cast(round(listed.value, 2) as varchar), '-')), ''
            order by vital_signs.position
        ) as text
    from times
    inner join vital_signs on times.line = vital_signs.line
    left join listed
        on
            times.stay_id = listed.stay_id
            and times.hours = listed.hours
            and vital_signs.variable = listed.variable
    group by times.stay_id, times.hours, times.line
),

final as (
    select
        stay_id,
        hours,
        0 as position,
        concat(
            '- Time from ICU Admission: ', round(hours, 2), ' hours',
            string_agg(concat(chr(10), '    - ', text), '' order by position)
        ) as text
    from lines_of_times
    group by stay_id, hours
)
{%- endif %}

select * from final

{#- A post-hook of the patients: eras are parsed from a text, which must have the format used by MIMIC. -#}
{% macro stop_at_bad_year_groups(patients) %}
    {%- do stop_at_rows(
        'select subject_id from ' ~ patients ~ " where not regexp_full_match(anchor_year_group, '[0-9]{4} - [0-9]{4}')"
        ~ ' or left(anchor_year_group, 4) > right(anchor_year_group, 4)',
        'hosp/patients: an anchor_year_group is no span of years like 2008 - 2010', 'Correct it, or fetch the file again.'
    ) -%}
{% endmacro %}


{#- The first or last year of a patient's anchor_year_group ('2011 - 2013'), moved to the year of a stay. MIMIC
    shifts all dates of a patient by the same number of years, so the years between two of them are true. The
    group gives the three true years that anchor_year may stand for, so the stay is in one of three years too. -#}
{% macro era_year(side, patient, moment) -%}
    cast(cast({{ side }}({{ patient }}.anchor_year_group, 4) as integer) + year({{ moment }}) - {{ patient }}.anchor_year as smallint)
{%- endmacro %}


{#- Whether a stay is certainly in the years of MIMIC-CXR: its whole era is. A stay whose era only overlaps them
    may be outside, and then a missing X-ray has no meaning. -#}
{% macro in_mimic_cxr_years(stay) -%}
    {%- set years = var('mimic_cxr_years') -%}
    coalesce({{ stay }}.era_from >= {{ years[0] }} and {{ stay }}.era_to <= {{ years[1] }}, false)
{%- endmacro %}


{#- A post-hook of int_stays_screened: without stays on both sides of the cut there is nothing to train on or
    nothing to test on. -#}
{% macro stop_at_one_era(screened) %}
    {%- if execute and not flags.EMPTY and setting('split_by') == 'era' -%}
        {%- set cut = setting('split_era_cut') -%}
        {#- the stays that are kept, and those that one of the two rules on eras drops: the modalities' come after -#}
        {%- set era_steps = cohort_criteria() | length - modalities() | selectattr('matched', 'defined') | list | length -%}
        {%- set found = run_query(
            'select count(*) as stays, min(stays.era_from) as first, max(stays.era_to) as last,'
            ~ ' count(*) filter (where screened.dropped_at_step is null and stays.era_from < ' ~ cut ~ ') as before,'
            ~ ' count(*) filter (where screened.dropped_at_step is null and stays.era_from >= ' ~ cut ~ ') as after'
            ~ ' from ' ~ screened ~ ' as screened inner join ' ~ ref('int_stays') ~ ' as stays on screened.stay_id = stays.stay_id'
            ~ ' where coalesce(screened.dropped_at_step in (' ~ (era_steps - 1) ~ ', ' ~ era_steps ~ '), true)'
        ).rows[0] -%}
        {%- if found['stays'] and not (found['before'] and found['after']) -%}
            {{ stop(
                'split_by: era with split_era_cut: ' ~ cut ~ ' leaves the cohort ' ~ found['before'] ~ ' stays to train on and ' ~ found['after'] ~ ' to test'
                ~ (' (its eras run from ' ~ found['first'] ~ ' to ' ~ found['last'] ~ ')' if found['first'] else ' (no era is known)')
                ~ '. Set a split_era_cut with stays on both sides, or split_by: hash.'
            ) }}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}

{#- train, validation or test of a row of int_stays, or of anything with its keys and era: the one rule.
    By a hash of patient or stay and the seed: it never depends on who else is in the cohort, on the order of
    rows, or on the version of DuckDB (md5, first 32 bits as a share). By era what lies from the cut on is
    test, and the same hash shares out the rest; macros/cohort_criteria.sql leaves each patient on one side. -#}
{% macro split_of(stay) -%}
    {%- set fractions = setting('split_fractions') -%}
    {%- set by_era = setting('split_by') == 'era' -%}
    {%- set key = stay ~ ('.subject_id' if setting('split_unit') == 'patient' else '.stay_id') -%}
    {%- set share = "(cast('0x' || left(md5(concat(" ~ setting('split_seed') ~ ", ':', " ~ key ~ ")), 8) as bigint) / 4294967296.0)" -%}
    case
        {%- if by_era %}
        when {{ stay }}.era_from >= {{ setting('split_era_cut') }} then 'test'
        when {{ share }} < {{ fractions[0] / (fractions[0] + fractions[1]) }} then 'train'
        else 'validation'
        {%- else %}
        when {{ share }} < {{ fractions[0] }} then 'train'
        when {{ share }} < {{ fractions[0] }} + {{ fractions[1] }} then 'validation'
        else 'test'
        {%- endif %}
    end
{%- endmacro %}

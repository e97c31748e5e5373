{#- train, validation or test for a row of int_stays, or of any relation with its keys and era; defined only here.
    By a hash of patient or stay and the seed, so that it never depends on the rest of the cohort, the order of rows
    or the version of DuckDB (md5, first 32 bits as a fraction). By era, stays from the cut on are test, and the same
    hash divides the others; macros/cohort_criteria.sql keeps each patient on one side of the cut. -#}
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

{#- train, validation or test by a hash of a key and the seed: it never depends on who else is in the
    cohort, on the order of rows, or on the version of DuckDB (md5, first 32 bits as a share). -#}
{% macro split_of(key) -%}
    {%- set fractions = setting('split_fractions') -%}
    {%- set share = "(cast('0x' || left(md5(concat(" ~ setting('split_seed') ~ ", ':', " ~ key ~ ")), 8) as bigint) / 4294967296.0)" -%}
    case
        when {{ share }} < {{ fractions[0] }} then 'train'
        when {{ share }} < {{ fractions[0] }} + {{ fractions[1] }} then 'validation'
        else 'test'
    end
{%- endmacro %}

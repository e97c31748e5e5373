{#- What the checks of the audit share that read texts. -#}

{#- Words and numbers of a text, in order: letter case, line breaks and punctuation do not count. -#}
{% macro words_of(text) -%}
regexp_extract_all(lower({{ text }}), '[\p{L}\p{N}_]+')
{%- endmacro %}


{#- Every 5 words of a text that follow each other. -#}
{% macro runs_of_words(words) -%}
list_zip({{ words }}[:-5], {{ words }}[2:-4], {{ words }}[3:-3], {{ words }}[4:-2], {{ words }}[5:])
{%- endmacro %}


{#- Rows of seeds/concepts/outcome_words.csv, to stand in a query as literals: DuckDB compiles a regular expression that is
    a literal once, and one from a column for every row. -#}
{% macro outcome_words() %}
    {%- do ref('outcome_words') -%}
    {{ return(rows_of_seed('outcome_words') if execute else []) }}
{% endmacro %}


{#- One regular expression of several: letter case does not count, a blank is any blanks and line breaks, and only
    whole words are found. -#}
{% macro any_of(patterns) -%}
{{ text_literal('(?i)\\b(?:' ~ (patterns | join('|') | replace(' ', '\\s+')) ~ ')\\b') }}
{%- endmacro %}

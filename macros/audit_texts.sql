{#- Shared by the checks of the audit that read texts. -#}

{#- Words and numbers of a text, in order: case, line breaks and punctuation are ignored. -#}
{% macro words_of(text) -%}
regexp_extract_all(lower({{ text }}), '[\p{L}\p{N}_]+')
{%- endmacro %}


{#- All runs of 5 consecutive words of a text. -#}
{% macro runs_of_words(words) -%}
list_zip({{ words }}[:-5], {{ words }}[2:-4], {{ words }}[3:-3], {{ words }}[4:-2], {{ words }}[5:])
{%- endmacro %}


{#- Rows of seeds/outcome_words.csv, to be written into a query as literals: DuckDB compiles a literal regular
    expression once, but one from a column for every row. -#}
{% macro outcome_words() %}
    {%- do ref('outcome_words') -%}
    {{ return(rows_of_seed('outcome_words') if execute else []) }}
{% endmacro %}


{#- Several regular expressions combined into one: case is ignored, a blank matches any run of blanks and line
    breaks, and only whole words match. -#}
{% macro any_of(patterns) -%}
{{ text_literal('(?i)\\b(?:' ~ (patterns | join('|') | replace(' ', '\\s+')) ~ ')\\b') }}
{%- endmacro %}

{#- A post-hook: ends the comment of a table with a hash of its query, by which `charthouse audit` sees whether the
    project's SQL has changed since the build. -#}
{% macro say_query() %}
    {%- if execute and model.config.materialized == 'table' -%}
        {{ alter_relation_comment(this.incorporate(type='table'), model.description ~ '\n\nMade by query ' ~ asked_of(sql) ~ '.') }}
    {%- endif -%}
{% endmacro %}


{#- A hash of a query without the name of the database, which depends on the file name of the warehouse. -#}
{% macro asked_of(sql) %}
    {{ return(local_md5(sql | replace('"' ~ this.database ~ '".', ''))) }}
{% endmacro %}

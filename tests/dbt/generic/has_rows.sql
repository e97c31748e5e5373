{#- The table has exactly this number of rows. -#}
{% test has_rows(model, number) %}
select count(*) as rows_found
from {{ model }}
having count(*) != {{ 0 if flags.EMPTY else number }}
{% endtest %}

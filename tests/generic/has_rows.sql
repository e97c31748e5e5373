{#- The table has exactly this number of rows. -#}
{% test has_rows(model, number) %}
select count(*) as rows_found
from {{ model }}
having count(*) != {{ number }}
{% endtest %}

{#- A condition holds in every row; where a value that it needs is missing, it does not. -#}
{% test holds(model, condition) %}
select *
from {{ model }}
where not coalesce({{ condition }}, false)
{% endtest %}

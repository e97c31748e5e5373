{#- Each stay of the cohort has exactly one row (or one for each row of `per`), and no other stay has any. -#}
{% test covers_cohort(model, per=none) %}
select
    coalesce(cohort.stay_id, rows_of.stay_id) as stay_id,
    rows_of.rows_found
from {{ ref('cohort') }} as cohort
full join (
    select
        stay_id,
        count(*) as rows_found
    from {{ model }}
    group by stay_id
) as rows_of on cohort.stay_id = rows_of.stay_id
where cohort.stay_id is null or rows_of.rows_found is distinct from {{ '(select count(*) from ' ~ per ~ ')' if per else 1 }}
{% endtest %}

{#- For stays that a task includes, no outcome was decided before the end of the window: it would be in the features.
    Without the landmark (protocol: paper) stays may end within the window; the audit reports it. -#}
{% test decided_after_window(model) %}
select
    tasks.stay_id,
    tasks.decided_at
from {{ model }} as tasks
inner join {{ ref('cohort') }} as cohort on tasks.stay_id = cohort.stay_id
where
    {{ setting('landmark') }}
    and tasks.label is not null
    and coalesce(tasks.decided_at < cohort.intime + to_microseconds(cast(3.6e9 * {{ setting('window_end_hours') }} as bigint)), true)
{% endtest %}

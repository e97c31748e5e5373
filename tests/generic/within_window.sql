{#- No row lies before the window, and none was available at its end or later (under the paper's
    protocol: observed). Written out here, not taken from the macro that makes the cut: a test that
    shares the code it tests proves nothing. -#}
{% test within_window(model) %}
select
    events.stay_id,
    events.observed_at,
    events.available_at
from {{ model }} as events
inner join {{ ref('cohort') }} as cohort on events.stay_id = cohort.stay_id
where
    events.observed_at < cohort.intime + to_microseconds(cast(3.6e9 * {{ setting('window_start_hours') }} as bigint))
    or (
        '{{ setting("availability") }}' = 'available'
        and events.available_at >= cohort.intime + to_microseconds(cast(3.6e9 * {{ setting('window_end_hours') }} as bigint))
    )
    or events.observed_at >= cohort.intime + to_microseconds(cast(3.6e9 * {{ setting('window_end_hours') }} as bigint))
    or events.available_at < events.observed_at
    or abs(events.hours * 3600 - epoch(events.observed_at - cohort.intime)) > 1e-3
{% endtest %}

{#- No row lies before the window, and none was available (under the paper's protocol: observed) after its end or
    the end of the stay; the end that window_closed leaves open is excluded. Written out here instead of using the
    macro in_window: a test that shares the code it tests proves nothing. -#}
{% test within_window(model) %}
{%- set opens_at = 'cohort.intime + to_microseconds(cast(3.6e9 * ' ~ setting('window_start_hours') ~ ' as bigint))' %}
{%- set closes_at = 'cohort.intime + to_microseconds(cast(3.6e9 * ' ~ setting('window_end_hours') ~ ' as bigint))' %}
{%- set is_before, is_after = ('<', '>=') if setting('window_closed') == 'left' else ('<=', '>') %}
select
    events.stay_id,
    events.observed_at,
    events.available_at
from {{ model }} as events
inner join {{ ref('cohort') }} as cohort on events.stay_id = cohort.stay_id
where
    events.observed_at {{ is_before }} {{ opens_at }}
    or (
        '{{ setting("availability") }}' = 'available'
        and (events.available_at {{ is_after }} {{ closes_at }} or events.available_at {{ is_after }} cohort.outtime)
    )
    or events.observed_at {{ is_after }} {{ closes_at }}
    or events.observed_at {{ is_after }} cohort.outtime
    or events.available_at < events.observed_at
    or abs(events.hours * 3600 - epoch(events.observed_at - cohort.intime)) > 1e-3
{% endtest %}

{#- Hours since intime, the one clock of all marts. -#}
{% macro hours_since(intime, moment) -%}
    ((epoch_us({{ moment }}) - epoch_us({{ intime }})) / 3.6e9)
{%- endmacro %}


{#- The time that is a number of hours after intime. -#}
{% macro hours_after(intime, hours) -%}
    ({{ intime }} + to_microseconds({{ (hours * 3.6e9) | round | int }}))
{%- endmacro %}


{#- When a row could first be used: when it was both charted and stored. A missing storage time counts as the
    time of charting. -#}
{% macro available_at(observed_at, stored_at) -%}
    greatest({{ observed_at }}, coalesce({{ stored_at }}, {{ observed_at }}))
{%- endmacro %}


{#- The cutoff of features, defined only here: from the start of the window to its end, or to the end of the stay
    if that is earlier; by availability (strict) or by observation (paper). The setting window_closed says which end
    belongs to the window. A row observed before the window is excluded even if it was stored within it. -#}
{% macro in_window(row, stay) -%}
    {%- set left_closed = setting('window_closed') == 'left' -%}
    {{ row }}.observed_at {{ '>=' if left_closed else '>' }} {{ stay }}.window_start
    and {{ row }}.{{ setting('availability') }}_at {{ '<' if left_closed else '<=' }} least({{ stay }}.window_end, {{ stay }}.outtime)
{%- endmacro %}


{#- The bin of the window that a time is in, counted from 0. Bins are closed at the same end as the window, so that
    each time is in exactly one. In whole microseconds, because in floating point floor(0.3 / 0.1) is 2. -#}
{% macro bin_of(hours) -%}
    {%- set start, width = setting('window_start_hours'), setting('bin_hours') -%}
    {%- set bins = '(round(' ~ hours ~ ' * 3.6e9) - ' ~ start ~ ' * 3.6e9) / (' ~ width ~ ' * 3.6e9)' -%}
    cast({{ 'floor(' ~ bins ~ ')' if setting('window_closed') == 'left' else 'ceil(' ~ bins ~ ') - 1' }} as integer)
{%- endmacro %}


{#- Whether any of the times lies outside the years that MIMIC shifts its dates to. -#}
{% macro outside_shifted_years() -%}
    {%- set years = var('mimic_shifted_years') -%}
    ({% for moment in varargs %}year({{ moment }}) not between {{ years[0] }} and {{ years[1] }}{{ ' or ' if not loop.last }}{% endfor %})
{%- endmacro %}

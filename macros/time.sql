{#- One clock: hours since intime, everywhere. -#}
{% macro hours_since(intime, moment) -%}
    ((epoch_us({{ moment }}) - epoch_us({{ intime }})) / 3.6e9)
{%- endmacro %}


{#- The moment that lies a number of hours after intime. -#}
{% macro hours_after(intime, hours) -%}
    ({{ intime }} + to_microseconds({{ (hours * 3.6e9) | round | int }}))
{%- endmacro %}


{#- When a row that was charted at one time and stored at another could be used: never before either.
    Where nothing says when it was stored, when it was charted. -#}
{% macro available_at(observed_at, stored_at) -%}
    greatest({{ observed_at }}, coalesce({{ stored_at }}, {{ observed_at }}))
{%- endmacro %}


{#- The one cut of features: from the start of the window to its end, or to the end of the stay where
    that comes first; by availability (strict) or by observation (paper). Which end belongs to the window,
    window_closed says. A row observed before the window is out even when it was stored in it. -#}
{% macro in_window(row, stay) -%}
    {%- set left_closed = setting('window_closed') == 'left' -%}
    {{ row }}.observed_at {{ '>=' if left_closed else '>' }} {{ stay }}.window_start
    and {{ row }}.{{ setting('availability') }}_at {{ '<' if left_closed else '<=' }} least({{ stay }}.window_end, {{ stay }}.outtime)
{%- endmacro %}


{#- The bin of the window that a time lies in, from 0. Bins are closed at the same end as the window, so
    that each of its moments is in one. In whole microseconds: floor(0.3 / 0.1) is 2. -#}
{% macro bin_of(hours) -%}
    {%- set start, width = setting('window_start_hours'), setting('bin_hours') -%}
    {%- set bins = '(round(' ~ hours ~ ' * 3.6e9) - ' ~ start ~ ' * 3.6e9) / (' ~ width ~ ' * 3.6e9)' -%}
    cast({{ 'floor(' ~ bins ~ ')' if setting('window_closed') == 'left' else 'ceil(' ~ bins ~ ') - 1' }} as integer)
{%- endmacro %}


{#- Whether one of some moments is of no year that MIMIC shifts its dates to. -#}
{% macro outside_shifted_years() -%}
    {%- set years = var('mimic_shifted_years') -%}
    ({% for moment in varargs %}year({{ moment }}) not between {{ years[0] }} and {{ years[1] }}{{ ' or ' if not loop.last }}{% endfor %})
{%- endmacro %}

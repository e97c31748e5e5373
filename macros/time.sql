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


{#- The one cut of features: in [window_start, window_end), by availability (strict) or by
    observation (paper). A row observed before the window is out even when it was stored in it. -#}
{% macro in_window(row, stay) -%}
    {{ row }}.observed_at >= {{ stay }}.window_start
    and {{ row }}.{{ setting('availability') }}_at < {{ stay }}.window_end
{%- endmacro %}


-- Vital signs of every stay, cleaned: outliers removed or pulled to the valid bound, one unit per
-- variable, times in hours since intime. Rows without a usable value are kept with the reason, to be counted.
-- Ranges: seeds/vital_signs.csv, after Xie et al. 2022 (mimic4ed).
-- Grain: one row per row of stg_mimiciv__chartevents that has a known stay.
{{ config(post_hook=[
    "{{ stop_at_rows('select itemid from ' ~ ref('vital_signs') ~ ' anti join ' ~ ref('stg_mimiciv__d_items') ~ ' using (itemid)',
        'seeds/vital_signs.csv: an itemid is not in icu/d_items', 'Correct the seed.') }}",
    "{{ stop_at_rows('select itemid from ' ~ ref('vital_signs') ~ ' as seed inner join ' ~ ref('stg_mimiciv__d_items') ~ ' as items using (itemid)'
        ~ ' where lower(seed.label) is distinct from lower(items.label)',
        'seeds/vital_signs.csv: an itemid has another label in icu/d_items', 'Correct its itemid, or its label.') }}",
]) }}

with events as (
    select * from {{ ref('stg_mimiciv__chartevents') }}
),

vital_signs as (
    select * from {{ ref('vital_signs') }}
),

stays as (
    select * from {{ ref('int_stays') }}
),

judged as (
    select
        events.stay_id,
        events.itemid,
        vital_signs.variable,
        vital_signs.conversion,
        events.charttime as observed_at,
        {{ available_at('events.charttime', 'events.storetime') }} as available_at,
        {{ hours_since('stays.intime', 'events.charttime') }} as hours,
        events.valuenum,
        least(greatest(events.valuenum, vital_signs.valid_low), vital_signs.valid_high) as in_range,
        events.is_intubated,
        case
            when events.valuenum is null or isnan(events.valuenum) then 'no number'
            when isinf(events.valuenum) then 'infinite, removed'
            {%- if setting('intubated_verbal') == 'missing' %}
            when events.is_intubated then 'intubated, missing'
            {%- endif %}
            when events.valuenum not between vital_signs.outlier_low and vital_signs.outlier_high then 'outlier, removed'
            {%- if setting('zero_respiratory_rate') == 'missing' %}
            when vital_signs.zero_is_missing and events.valuenum = 0 then 'zero, no measurement'
            {%- endif %}
            {%- if setting('second_arterial_line') == 'drop' %}
            when vital_signs.second_line then 'second arterial line, dropped'
            {%- endif %}
            {%- if setting('celsius') == 'drop' %}
            when vital_signs.conversion = 'celsius_to_fahrenheit' then 'Celsius, dropped'
            {%- endif %}
            when events.valuenum not between vital_signs.valid_low and vital_signs.valid_high then 'pulled to the valid bound'
            else 'kept'
        end as fate
    from events
    inner join vital_signs on events.itemid = vital_signs.itemid
    inner join stays on events.stay_id = stays.stay_id
),

final as (
    select
        stay_id,
        variable,
        itemid,
        observed_at,
        available_at,
        hours,
        valuenum as charted_value,
        case
            when fate not in ('kept', 'pulled to the valid bound') then null
            when conversion = 'celsius_to_fahrenheit' then in_range * 9 / 5 + 32
            else in_range
        end as value,
        is_intubated,
        fate
    from judged
)

select * from final

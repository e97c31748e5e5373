-- The vital signs. Items of one variable are pooled, so it has one label, unit and fallback: those of its
-- first item that needs no conversion or, where all need one, of the first item after conversion.
-- Grain: one row per variable.
with vital_signs as (
    select * from {{ ref('vital_signs') }}
),

ranked as (
    select
        variable,
        label,
        if(conversion = 'celsius_to_fahrenheit', 'degrees Fahrenheit', unit) as unit,
        if(conversion = 'celsius_to_fahrenheit', fallback_value * 9 / 5 + 32, fallback_value) as fallback_value,
        row_number() over (
            partition by variable
            order by coalesce(conversion = 'celsius_to_fahrenheit', false), itemid
        ) as place
    from vital_signs
),

final as (
    select
        variable,
        label,
        unit,
        fallback_value
    from ranked
    where place = 1
)

select * from final

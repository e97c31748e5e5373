-- The variables of each time series. Items of one variable are pooled, so it has one label, unit and fallback: those
-- of its first item that needs no conversion or, where all need one, of the first item after conversion. A test has the
-- shortest of its labels, which does not name a specimen that few of the values are of (potassium of whole blood).
-- Grain: one row per modality and variable.
with items as (
    select
        'vitals' as modality,
        variable,
        label,
        if(conversion = 'celsius_to_fahrenheit', 'degrees Fahrenheit', unit) as unit,
        if(conversion = 'celsius_to_fahrenheit', fallback_value * 9 / 5 + 32, fallback_value) as fallback_value,
        conversion is not null as is_converted,
        itemid
    from {{ ref('vital_signs') }}

    union all

    select
        'labs' as modality,
        variable,
        first_value(label) over (partition by variable order by length(label), itemid) as label,
        unit,
        fallback_value,
        false as is_converted,
        itemid
    from {{ ref('lab_tests') }}

    union all

    -- A group has no label in d_items, so its name is used; a bin without a medication is 0.
    select
        'medications' as modality,
        variable,
        upper(variable[1]) || replace(variable[2:], '_', ' ') as label,
        variable_unit as unit,
        0 as fallback_value,
        false as is_converted,
        itemid
    from {{ ref('medication_groups') }}
),

ranked as (
    select
        *,
        row_number() over (partition by modality, variable order by is_converted, itemid) as place
    from items
),

final as (
    select
        modality,
        variable,
        label,
        unit,
        cast(fallback_value as double) as fallback_value
    from ranked
    where place = 1
)

select * from final

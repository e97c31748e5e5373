-- Whatever was charted, a cleaned value lies within the valid bounds of its item, in the unit of the
-- variable. Without a bound this cannot be verified, and the test fails. (It cannot be a CHECK
-- constraint: DuckDB 2.0 cannot replay one that calls a function.)
select
    events.stay_id,
    events.variable,
    events.value
from {{ ref('vitals_events') }} as events
inner join {{ ref('vital_signs') }} as vital_signs on events.itemid = vital_signs.itemid
where
    not coalesce(
        case
            when vital_signs.conversion = 'celsius_to_fahrenheit'
                then events.value between vital_signs.valid_low * 9 / 5 + 32 and vital_signs.valid_high * 9 / 5 + 32
            else events.value between vital_signs.valid_low and vital_signs.valid_high
        end,
        false
    )

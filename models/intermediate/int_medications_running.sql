-- What was given in the window, as far as it was known at the end of the window. Infusions are clipped to the window: one
-- that began earlier counts from the first moment of the window, one that goes on counts until its end.
-- MIMIC stores a rate that is changed later soon after it begins, but the last rate of a bag soon after the bag is empty.
-- So the bag that runs at the end of the window is often not stored by then: in the open demo, that of 6 of 23 stays on
-- vasopressors. Dropping it would make the drug look stopped. If it begins exactly where a row of the same item ends
-- that was stored in time, the drug was known to run, only not at which rate: it counts at the last rate stored
-- (is_carried_on), to the next row that was stored in time or the end of the window, since its end was not known either.
-- An infusion that starts anew counts only if it was stored in time.
-- Grain: one row per stay and row of int_medications_cleaned with a value.
{%- set in_order = 'order by observed_at, ended_at, available_at, value' %}
with medications as (
    select * from {{ ref('int_medications_cleaned') }}
    where value is not null
),

stays as (
    select * from {{ ref('int_stays') }}
),

of_window as (
    select
        medications.*,
        stays.intime,
        {{ first_moment('stays') }} as opens_at,
        least(stays.window_end, stays.outtime) as closes_at,
        {{ known_in_time('medications', 'stays') }} as is_known
    from medications
    inner join stays on medications.stay_id = stays.stay_id
    where
        medications.observed_at <= closes_at
        and (medications.observed_at >= opens_at or medications.ended_at > opens_at)
),

ordered as (
    select
        *,
        coalesce(observed_at <> lag(ended_at) over (partition by stay_id, itemid {{ in_order }}), true) as begins_anew
    from of_window
    where not is_bolus
),

stretches as (
    select
        *,
        count_if(begins_anew) over (partition by stay_id, itemid {{ in_order }} rows unbounded preceding) as stretch
    from ordered
),

running as (
    select
        *,
        last_value(if(is_known, value, null) ignore nulls) over before_it as last_value_known,
        max(if(is_known, available_at, null)) over before_it as last_known_at,
        lead(observed_at) over of_stretch as next_at,
        min(if(is_known, observed_at, null)) over after_it as next_known_at
    from stretches
    window
        before_it as (partition by stay_id, itemid, stretch {{ in_order }} rows unbounded preceding),
        of_stretch as (partition by stay_id, itemid, stretch {{ in_order }}),
        after_it as (partition by stay_id, itemid {{ in_order }} rows between 1 following and unbounded following)
),

known as (
    select
        stay_id,
        variable,
        substance,
        itemid,
        intime,
        greatest(observed_at, opens_at) as observed_at,
        least(if(is_known or next_at is not null, ended_at, coalesce(next_known_at, closes_at)), closes_at) as ended_at,
        if(is_known, available_at, last_known_at) as available_at,
        if(is_known, value, last_value_known) as value,
        false as is_bolus,
        not is_known as is_carried_on
    from running
    where is_known or last_value_known is not null

    union all

    select
        stay_id,
        variable,
        substance,
        itemid,
        intime,
        observed_at,
        ended_at,
        available_at,
        value,
        is_bolus,
        false as is_carried_on
    from of_window
    where is_bolus and is_known
),

final as (
    select
        stay_id,
        variable,
        substance,
        itemid,
        observed_at,
        ended_at,
        greatest(available_at, observed_at) as available_at,
        {{ hours_since('intime', 'observed_at') }} as hours,
        value,
        is_bolus,
        is_carried_on
    from known
    where is_bolus or ended_at > observed_at
)

select * from final

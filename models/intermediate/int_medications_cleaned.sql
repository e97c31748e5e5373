-- Medications and fluids of every stay, cleaned, in one unit per variable. An infusion has a rate from its start to its
-- end; a bolus has a time, and as its value the rate that would give the same amount in an hour. Rows without a usable
-- value are kept with the reason, so that they can be counted. Among them are rows with the status Rewritten, which
-- were never given: MIMIC-III has them, MIMIC-IV was released without them.
-- Groups, equivalents and bounds: seeds/concepts/medication_groups.csv; vasopressors after Goradia et al. 2020.
-- Grain: one row per row of stg_mimiciv__inputevents that has a known stay.
{{ config(post_hook=[
    "{{ stop_at_rows('select itemid from ' ~ ref('medication_groups') ~ ' as seed inner join ' ~ ref('stg_mimiciv__d_items') ~ ' as items using (itemid)'
        ~ ' where lower(seed.label) is distinct from lower(items.label)',
        'seeds/concepts/medication_groups.csv: an itemid has another label in icu/d_items', 'Correct its itemid, or its label.') }}",
]) }}

with given as (
    select
        *,
        rate is null as is_bolus,
        coalesce(rate, amount) as charted_value,
        lower(if(rate is null, amountuom, rateuom)) as charted_unit
    from {{ ref('stg_mimiciv__inputevents') }}
),

items as (
    select distinct
        itemid,
        variable,
        substance
    from {{ ref('medication_groups') }}
),

units as (
    select
        itemid,
        lower(unit) as unit,
        not contains(unit, '/') as is_bolus,
        factor,
        coalesce(by_weight, false) as by_weight,
        coalesce(is_count, false) as is_count,
        highest,
        longest_hours
    from {{ ref('medication_groups') }}
),

stays as (
    select * from {{ ref('int_stays') }}
),

judged as (
    select
        stays.stay_id,
        items.variable,
        items.substance,
        given.itemid,
        given.starttime as observed_at,
        if(given.is_bolus, given.starttime, given.endtime) as ended_at,
        {{ available_at('given.starttime', 'given.storetime') }} as available_at,
        {{ hours_since('stays.intime', 'given.starttime') }} as hours,
        given.charted_value,
        if(units.is_count, 1, given.charted_value) * units.factor / if(units.by_weight, given.patientweight, 1) as value,
        given.is_bolus,
        case
            when lower(given.statusdescription) = 'rewritten' then 'rewritten, never given'
            when given.charted_value is null or isnan(given.charted_value) then 'no number'
            when isinf(given.charted_value) then 'infinite, removed'
            when units.itemid is null then 'another unit, removed'
            when given.charted_value = 0 then 'nothing given'
            when given.charted_value not between 0 and units.highest then 'impossible rate or amount, removed'
            when given.starttime is null then 'no start, removed'
            when given.endtime < given.starttime then 'ends before it starts, removed'
            when not given.is_bolus and coalesce(given.endtime = given.starttime, true) then 'no duration, removed'
            when not given.is_bolus and {{ hours_since('given.starttime', 'given.endtime') }} > units.longest_hours
                then 'impossible duration, removed'
            when units.by_weight and not coalesce(given.patientweight between 20 and 500, false)
                then 'no possible weight, removed'
            else 'kept'
        end as fate
    from given
    inner join items on given.itemid = items.itemid
    left join units
        on
            given.itemid = units.itemid
            and given.charted_unit = units.unit
            and given.is_bolus = units.is_bolus
    inner join stays on given.stay_id = stays.stay_id
),

final as (
    select
        stay_id,
        variable,
        substance,
        itemid,
        observed_at,
        ended_at,
        available_at,
        hours,
        charted_value,
        if(fate = 'kept', value, null) as value,
        is_bolus,
        fate
    from judged
)

select * from final

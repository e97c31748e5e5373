-- Vasopressors that run at the end of each hour of a stay, and their rates, in mcg/kg/min.
-- Rules: MIMIC Code Repository, sofa; items by their substance in seeds/concepts/medication_groups.csv. Rates in other
-- units, negative rates, and rows without both times or with the end before the start are left out.
-- Grain: one row per stay, hour and substance.
with substances as (
    select distinct
        itemid,
        substance
    from {{ ref('medication_groups') }}
    where substance in ('norepinephrine', 'epinephrine', 'dopamine', 'dobutamine')
),

given as (
    select
        inputs.stay_id,
        substances.substance,
        inputs.rate,
        {{ hours_since('stays.intime', 'inputs.starttime') }} as started,
        -- not beyond the stay, whatever the row says
        least({{ hours_since('stays.intime', 'inputs.endtime') }}, 24 * stays.los_days + 1) as ended
    from {{ ref('stg_mimiciv__inputevents') }} as inputs
    inner join substances on inputs.itemid = substances.itemid
    inner join {{ ref('int_stays') }} as stays on inputs.stay_id = stays.stay_id
    where
        inputs.starttime is not null
        and inputs.endtime is not null
        and inputs.rateuom = 'mcg/kg/min'
        and inputs.rate > 0
        and inputs.statusdescription is distinct from 'Rewritten'
),

hours as (
    select
        stay_id,
        substance,
        rate,
        unnest(range(greatest(cast(floor(started) as bigint), -24), cast(floor(ended) as bigint))) as hour
    from given
),

final as (
    select
        stay_id,
        cast(hour as integer) as hour,
        substance,
        max(rate) as rate
    from hours
    group by stay_id, hour, substance
)

select * from final

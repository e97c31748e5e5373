-- Urine per day: the volume of the 24 hours up to a measurement, scaled to 24 hours, if these measurements cover 22 to
-- 30 hours. A measurement covers the time since the one before it, the first one the time since intime.
-- Rules: MIMIC Code Repository, urine_output, urine_output_rate and sofa. Negative volumes and other units are left out,
-- and a day in which more irrigant was charted as put in than came out: there it counts as less than 200 mL.
-- Grain: one row per stay and time at which urine was measured.
{{ config(post_hook=[
    "{{ stop_at_rows('select itemid from ' ~ ref('urine_items') ~ ' as seed inner join ' ~ ref('stg_mimiciv__d_items') ~ ' as items using (itemid)'
        ~ ' where lower(seed.label) is distinct from lower(items.label)',
        'seeds/concepts/urine_items.csv: an itemid has another label in icu/d_items', 'Correct its itemid, or its label.') }}",
]) }}

with measured as (
    select
        outputs.stay_id,
        outputs.charttime as observed_at,
        sum(outputs.value * items.factor) as volume
    from {{ ref('stg_mimiciv__outputevents') }} as outputs
    inner join {{ ref('urine_items') }} as items on outputs.itemid = items.itemid
    where
        outputs.charttime is not null
        and outputs.value >= 0
        and coalesce(lower(outputs.valueuom), 'ml') = 'ml'
    group by outputs.stay_id, outputs.charttime
),

timed as (
    select
        measured.*,
        {{ hours_since('stays.intime', 'measured.observed_at') }} as hours,
        -- whole numbers: a sum of fractions of hours may miss 30 by a rounding, and 500 mL become a little less
        date_diff('second', stays.intime, measured.observed_at) as seconds
    from measured
    inner join {{ ref('int_stays') }} as stays on measured.stay_id = stays.stay_id
),

covered as (
    select
        *,
        seconds - lag(seconds, 1, 0) over (partition by stay_id order by seconds) as seconds_covered
    from timed
),

summed as (
    select
        stay_id,
        observed_at,
        hours,
        sum(volume) over last_day as volume,
        sum(seconds_covered) over last_day as seconds_covered
    from covered
    window last_day as (partition by stay_id order by observed_at range between interval 23 hour preceding and current row)
),

final as (
    select
        stay_id,
        observed_at,
        hours,
        if(
            seconds_covered between 22 * 3600 and 30 * 3600 and volume >= 0,
            24 * 3600 * volume / seconds_covered,
            null
        ) as urine
    from summed
)

select * from final

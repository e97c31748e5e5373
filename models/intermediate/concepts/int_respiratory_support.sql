-- How a patient breathes, as charted: by ventilator modes and oxygen devices. Of several charted at one time the most
-- invasive counts.
-- Classes: seeds/concepts/respiratory_items.csv, after the MIMIC Code Repository (ventilation). Its query for devices
-- drops those charted without an oxygen flow, as most tubes are (its issue 1570); here they count.
-- Grain: one row per stay and time.
with charted as (
    select * from {{ ref('stg_mimiciv__chartevents') }}
),

items as (
    select * from {{ ref('respiratory_items') }}
    where found_in = 'chartevents' and priority is not null
),

final as (
    select
        charted.stay_id,
        charted.charttime as observed_at,
        arg_min(items.means, items.priority) as support
    from charted
    inner join items on charted.itemid = items.itemid and charted.text = items.charted_text
    where charted.stay_id is not null and charted.charttime is not null
    group by charted.stay_id, charted.charttime
)

select * from final

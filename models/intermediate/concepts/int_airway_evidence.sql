-- Everything that shows a tube in the airway, or ventilation through one: documented or charted, once or more often.
-- Grain: one row per stay, time and evidence.
with charted as (
    select * from {{ ref('stg_mimiciv__chartevents') }}
),

procedures as (
    select * from {{ ref('stg_mimiciv__procedureevents') }}
),

items as (
    select * from {{ ref('respiratory_items') }}
),

found as (
    select
        stay_id,
        observed_at,
        support as evidence
    from {{ ref('int_respiratory_support') }}
    where support in ('invasive ventilation', 'tracheostomy')

    union all

    -- an item without a text in the seed means a tube whatever is charted of it, except the texts that rule one out
    select
        charted.stay_id,
        charted.charttime as observed_at,
        items.means as evidence
    from charted
    inner join items
        on charted.itemid = items.itemid and charted.text = coalesce(items.charted_text, charted.text) and items.means = 'tube'
    left join items as none on charted.itemid = none.itemid and charted.text = none.charted_text and none.means = 'nothing'
    where none.itemid is null

    union all

    select
        procedures.stay_id,
        procedures.starttime as observed_at,
        items.means as evidence
    from procedures
    inner join items on procedures.itemid = items.itemid and items.means in ('invasive ventilation', 'tube')
),

final as (
    select distinct *
    from found
    where stay_id is not null and observed_at is not null
)

select * from final

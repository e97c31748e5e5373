-- What is odd about charts of ventilator, oxygen and airway, counted: over all rows of the items of
-- seeds/concepts/respiratory_items.csv whose text matters; and of the items of the concepts those that no dictionary has.
-- Grain: one row per source and finding.
with

items as (
    select
        itemid,
        list(charted_text) as charted_texts,
        bool_or(charted_text is null) as is_any_text
    from {{ ref('respiratory_items') }}
    where found_in = 'chartevents' and means <> 'oxygen fraction'
    group by itemid
),

charted as (
    select
        'chartevents: respiratory_items' as source,
        unnest([
            'no text: never used',
            'a text that is not in the seed: never used'
        ]) as finding,
        unnest([
            count(*) filter (where charted.text is null),
            count(*) filter (where not items.is_any_text and not list_contains(items.charted_texts, charted.text))
        ]) as found,
        count(*) as of_rows
    from {{ ref('stg_mimiciv__chartevents') }} as charted
    inner join items on charted.itemid = items.itemid
    -- a verbal score is one, whatever its text
    where charted.itemid not in (select itemid from {{ ref('vital_signs') }})
),

seeds as (
    select distinct
        'respiratory_items' as source,
        itemid
    from {{ ref('respiratory_items') }}

    union all

    select
        'urine_items' as source,
        itemid
    from {{ ref('urine_items') }}
),

unknown_items as (
    select
        seeds.source,
        'itemid is not in icu/d_items' as finding,
        count(*) filter (where items.itemid is null) as found,
        count(*) as of_rows
    from seeds
    left join {{ ref('stg_mimiciv__d_items') }} as items on seeds.itemid = items.itemid
    group by seeds.source
),

final as (
    select * from charted
    union all
    select * from unknown_items
)

select * from final

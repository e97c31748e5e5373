-- Data-quality issues of medications and fluids, counted: what became of each row, by variable and of known stays only;
-- and over all rows of the items of seeds/concepts/medication_groups.csv.
-- Grain: one row per source and finding.
with

medications as (
    select * from {{ ref('int_medications_cleaned') }}
),

rows_of_items as (
    select * from {{ ref('stg_mimiciv__inputevents') }}
),

stays as (
    select * from {{ ref('int_stays') }}
),

by_variable as (
    select
        'inputevents: ' || variable as source,
        fate as finding,
        count(*) as found,
        sum(count(*)) over (partition by variable) as of_rows
    from medications
    group by variable, fate
),

by_row as (
    select
        'inputevents' as source,
        unnest([
            'stay_id is null or unknown',
            'began before the ICU: counts from there',
            'ends after the ICU: counts until there',
            'stored before it began',
            'stored when it had ended: known only then',
            'never stored: counts as available when it began',
            'a time outside the years that MIMIC shifts to'
        ]) as finding,
        unnest([
            count(*) filter (where stays.stay_id is null),
            count(*) filter (where events.starttime < stays.intime),
            count(*) filter (where events.endtime > stays.outtime),
            count(*) filter (where events.storetime < events.starttime),
            count(*) filter (where events.rate is not null and events.storetime >= events.endtime),
            count(*) filter (where events.storetime is null),
            count(*) filter (where {{ outside_shifted_years('events.starttime', 'events.endtime', 'events.storetime') }})
        ]) as found,
        count(*) as of_rows
    from rows_of_items as events
    left join stays on events.stay_id = stays.stay_id
),

repeated as (
    select
        'inputevents' as source,
        'same stay, item and times again: added up' as finding,
        count(*) filter (where place > 1) as found,
        count(*) as of_rows
    from (
        select row_number() over (partition by stay_id, itemid, starttime, endtime) as place
        from rows_of_items
    ) as given
),

unknown_items as (
    select
        'medication_groups' as source,
        'itemid is not in icu/d_items' as finding,
        count(*) filter (where items.itemid is null) as found,
        count(*) as of_rows
    from (select distinct itemid from {{ ref('medication_groups') }}) as seed
    left join {{ ref('stg_mimiciv__d_items') }} as items on seed.itemid = items.itemid
),

final as (
    select * from by_variable
    union all
    select * from by_row
    union all
    select * from repeated
    union all
    select * from unknown_items
)

select * from final

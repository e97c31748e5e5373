-- What is odd about urine as charted, counted; over all rows of the items of seeds/concepts/urine_items.csv.
-- Grain: one row per finding.
with

outputs as (
    select * from {{ ref('stg_mimiciv__outputevents') }}
),

stays as (
    select * from {{ ref('int_stays') }}
),

final as (
    select
        'outputevents' as source,
        unnest([
            'stay_id is null or unknown',
            'no charttime: never used',
            'no volume, or a negative one: never used',
            'another unit than ml: never used',
            'a time outside the years that MIMIC shifts to'
        ]) as finding,
        unnest([
            count(*) filter (where stays.stay_id is null),
            count(*) filter (where outputs.charttime is null),
            count(*) filter (where outputs.value is null or outputs.value < 0),
            count(*) filter (where lower(outputs.valueuom) <> 'ml'),
            count(*) filter (where {{ outside_shifted_years('outputs.charttime') }})
        ]) as found,
        count(*) as of_rows
    from outputs
    left join stays on outputs.stay_id = stays.stay_id
)

select * from final

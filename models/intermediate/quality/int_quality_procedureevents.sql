-- What is odd about procedures as MIMIC-IV has them, counted; nothing is dropped for it here.
-- Grain: one row per finding.
with

procedures as (
    select * from {{ ref('stg_mimiciv__procedureevents') }}
),

stays as (
    select * from {{ ref('int_stays') }}
),

final as (
    select
        'procedureevents' as source,
        unnest([
            'stay_id is null or unknown',
            'no starttime: never used',
            'endtime before starttime, or none: counts as a moment',
            'starttime after outtime',
            'itemid is not in icu/d_items',
            'a time outside the years that MIMIC shifts to'
        ]) as finding,
        unnest([
            count(*) filter (where stays.stay_id is null),
            count(*) filter (where procedures.starttime is null),
            count(*) filter (
                where procedures.starttime is not null and coalesce(procedures.endtime < procedures.starttime, true)
            ),
            count(*) filter (where procedures.starttime > stays.outtime),
            count(*) filter (where items.itemid is null),
            count(*) filter (where {{ outside_shifted_years('procedures.starttime', 'procedures.endtime') }})
        ]) as found,
        count(*) as of_rows
    from procedures
    left join stays on procedures.stay_id = stays.stay_id
    left join {{ ref('stg_mimiciv__d_items') }} as items on procedures.itemid = items.itemid
)

select * from final

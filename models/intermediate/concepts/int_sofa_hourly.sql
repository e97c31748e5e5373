-- The SOFA score of each hour of a stay: points of six organs, each the worst of the 24 hours up to the end of the hour. An
-- organ without a measurement has 0 points, so scores of the first hours of a stay tend to be too low.
-- Points: seeds/concepts/sofa_points.csv (Vincent et al. 1996). Rules: MIMIC Code Repository, sofa.
-- Grain: one row per stay and hour.
{{ config(materialized='table') }}

with points as (
    select
        measured.stay_id,
        measured.hour,
        max(points.points) filter (where points.organ = 'respiration') as respiration,
        max(points.points) filter (where points.organ = 'coagulation') as coagulation,
        max(points.points) filter (where points.organ = 'liver') as liver,
        max(points.points) filter (where points.organ = 'circulation') as circulation,
        max(points.points) filter (where points.organ = 'nervous_system') as nervous_system,
        max(points.points) filter (where points.organ = 'kidneys') as kidneys
    from {{ ref('int_sofa_measurements') }} as measured
    inner join {{ ref('sofa_points') }} as points
        on
            measured.measure = points.measure
            and (measured.value < points.below or measured.value >= points.at_least or measured.value > points.above)
    group by measured.stay_id, measured.hour
),

hours as (
    select
        stay_id,
        cast(unnest(range(-24, cast(floor(24 * los_days) as bigint) + 1)) as integer) as hour
    from {{ ref('int_stays') }}
),

worst as (
    select
        hours.stay_id,
        hours.hour,
        coalesce(max(points.respiration) over last_day, 0) as respiration,
        coalesce(max(points.coagulation) over last_day, 0) as coagulation,
        coalesce(max(points.liver) over last_day, 0) as liver,
        coalesce(max(points.circulation) over last_day, 0) as circulation,
        coalesce(max(points.nervous_system) over last_day, 0) as nervous_system,
        coalesce(max(points.kidneys) over last_day, 0) as kidneys
    from hours
    left join points on hours.stay_id = points.stay_id and hours.hour = points.hour
    window last_day as (partition by hours.stay_id order by hours.hour rows between 23 preceding and current row)
),

final as (
    select
        *,
        respiration + coagulation + liver + circulation + nervous_system + kidneys as sofa
    from worst
    where hour >= 0
)

select * from final

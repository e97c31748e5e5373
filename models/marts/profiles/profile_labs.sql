-- The lines of laboratory values in patient profiles: the last value of each test, those reported for the same time
-- averaged, as in marts.labs_hourly.
-- Grain: one row per stay and test.
{{ config(materialized='view', schema='intermediate') }}

with latest as (
    select
        stay_id,
        variable,
        hours,
        avg(value) as value
    from {{ ref('labs_events') }}
    group by stay_id, variable, hours
    qualify row_number() over (partition by stay_id, variable order by hours desc) = 1
),

tests as (
    select
        *,
        cast(row_number() over (order by variable) as integer) as position
    from {{ ref('time_series_variables') }}
    where modality = 'labs'
),

final as (
    select
        latest.stay_id,
        latest.hours,
        tests.position,
        concat_ws(' ', tests.label, printf('%g', round(latest.value, 2)), tests.unit) as text
    from latest
    inner join tests on latest.variable = tests.variable
)

select * from final

-- The lines of medications in patient profiles: the last rate of each group that is not 0, as marts.medications_hourly has
-- it, and the highest.
-- Grain: one row per stay and group.
{{ config(materialized='view', schema='intermediate') }}

with rates as (
    select
        stay_id,
        variable,
        max(hour) as hours,
        arg_max(value, hour) as last_rate,
        max(value) as highest_rate
    from {{ ref('medications_hourly') }}
    where measured
    group by stay_id, variable
),

variables as (
    select
        *,
        row_number() over (order by variable) as position
    from {{ ref('time_series_variables') }}
    where modality = 'medications'
),

final as (
    select
        rates.stay_id,
        rates.hours,
        variables.position,
        concat(
            variables.label, ' ', printf('%g', round(rates.last_rate, 3)), ' ', variables.unit,
            if(
                round(rates.highest_rate, 3) > round(rates.last_rate, 3),
                printf(' (highest %g)', round(rates.highest_rate, 3)),
                ''
            )
        ) as text
    from rates
    inner join variables on rates.variable = variables.variable
)

select * from final

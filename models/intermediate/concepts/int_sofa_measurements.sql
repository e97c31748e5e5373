-- All measurements that the SOFA score is computed from, one row each, by the hour of the stay in which they were observed,
-- from the day before the stay.
-- Laboratory values are those that name the admission, and those that name none but were drawn after its start (the MIMIC
-- Code Repository takes the former only). Mean pressures of one time are averaged.
-- Grain: one row per stay, hour, measure and value.
with labs as (
    select * from {{ ref('int_labs_cleaned') }}
    where variable in ('platelets', 'bilirubin', 'creatinine') and value is not null and is_of_admission
),

-- independent of the setting second_arterial_line
pressures as (
    select
        stay_id,
        hours,
        avg(charted_value) as value
    from {{ ref('int_vitals_cleaned') }}
    where
        variable in ('abp_mean', 'nbp_mean')
        and fate in ('kept', 'pulled to the valid bound', 'second arterial line, dropped')
        and charted_value > 0
    group by stay_id, hours
),

observed as (
    select
        stay_id,
        hours,
        variable as measure,
        value
    from labs

    union all

    select
        stay_id,
        hours,
        'mean_pressure' as measure,
        value
    from pressures

    union all

    select
        stay_id,
        hours,
        'gcs' as measure,
        gcs as value
    from {{ ref('int_gcs') }}

    union all

    select
        stay_id,
        hours,
        if(is_ventilated, 'pao2_fio2_ventilated', 'pao2_fio2') as measure,
        pao2_fio2 as value
    from {{ ref('int_blood_gases') }}

    union all

    select
        stay_id,
        hours,
        'urine' as measure,
        urine as value
    from {{ ref('int_urine_output') }}
    where urine is not null
),

final as (
    select
        stay_id,
        cast(floor(hours) as integer) as hour,
        measure,
        value
    from observed
    where hours >= -24

    union all

    select
        stay_id,
        hour,
        substance as measure,
        rate as value
    from {{ ref('int_vasopressors_hourly') }}
)

select * from final

-- The outcomes to predict. Each stay of the cohort has a label for each task. The length of stay is
-- named for its threshold: another one is another task, with no question in seeds/tasks.csv yet.
-- Grain: one row per stay and task.
with cohort as (
    select * from {{ ref('cohort') }}
),

stays as (
    select * from {{ ref('int_stays') }}
),

final as (
    select
        cohort.stay_id,
        'in_hospital_mortality' as task,
        cast(stays.hospital_expire_flag = 1 as integer) as label
    from cohort
    inner join stays on cohort.stay_id = stays.stay_id

    union all

    select
        stay_id,
        'icu_stay_over_{{ setting("los_threshold_days") }}_days' as task,
        cast(los_days > {{ setting('los_threshold_days') }} as integer) as label
    from cohort
)

select * from final
order by task, stay_id

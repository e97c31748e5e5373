-- Is the patient ventilated through a tube for the first time after the window, before leaving the ICU? Who was ventilated
-- by the window's end, or had a tube by then, in whatever way that is documented or charted, is not asked about.
-- Grain: one row per stay of the cohort.
with cohort as (
    select * from {{ ref('cohort') }}
),

-- by the time of observation: ventilation is stored when it has ended
evidence as (
    select
        stay_id,
        min(observed_at) filter (where evidence = 'invasive ventilation') as ventilated_at,
        min(observed_at) as tube_at
    from {{ ref('int_airway_evidence') }}
    group by stay_id
),

starts as (
    select
        cohort.stay_id,
        min(spans.started_at) as started_at
    from {{ ref('int_ventilation_spans') }} as spans
    inner join cohort on spans.stay_id = cohort.stay_id
    where spans.support = 'invasive ventilation' and spans.started_at <= cohort.outtime
    group by cohort.stay_id
),

asked as (
    select
        cohort.stay_id,
        cohort.outtime,
        starts.started_at,
        coalesce(
            {{ no_file_of('task_invasive_ventilation') }},
            case
                when {{ by_window_end('evidence.ventilated_at', 'cohort') }} then 'ventilated by the end of the window'
                when {{ by_window_end('evidence.tube_at', 'cohort') }} then 'with a tube by the end of the window'
            end
        ) as excluded_because
    from cohort
    left join evidence on cohort.stay_id = evidence.stay_id
    left join starts on cohort.stay_id = starts.stay_id
),

final as (
    select
        stay_id,
        if(excluded_because is null, cast(started_at is not null as integer), null) as label,
        excluded_because,
        coalesce(started_at, outtime) as decided_at
    from asked
)

select * from final

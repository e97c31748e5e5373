-- The Glasgow Coma Scale. A component that is missing at a time is carried from the time before, if that is less than
-- 6 hours ago; else it is normal. With a tube the score is 15: speech cannot be tested, and nothing tells what the score
-- would be without sedation. A tube is what the text beside the score says or, without a text, a verbal score of 1 during
-- ventilation.
-- Rules: MIMIC Code Repository, gcs.
-- Grain: one row per stay and time.
with scores as (
    select
        charted.stay_id,
        charted.charttime as observed_at,
        vital_signs.variable,
        charted.valuenum as score,
        charted.is_intubated,
        -- a number is no text
        charted.text is null or try_cast(charted.text as double) is not null as is_without_text
    from {{ ref('stg_mimiciv__chartevents') }} as charted
    inner join {{ ref('vital_signs') }} as vital_signs on charted.itemid = vital_signs.itemid
    where
        vital_signs.variable in ('gcs_eye', 'gcs_verbal', 'gcs_motor')
        and charted.charttime is not null
        and charted.valuenum between vital_signs.outlier_low and vital_signs.outlier_high
),

spans as (
    select * from {{ ref('int_ventilation_spans') }}
    where support = 'invasive ventilation'
),

silent as (
    select distinct
        scores.stay_id,
        scores.observed_at
    from scores
    inner join spans on scores.stay_id = spans.stay_id and scores.observed_at between spans.started_at and spans.ended_at
    where scores.variable = 'gcs_verbal' and scores.score = 1 and scores.is_without_text
),

charted as (
    select
        scores.stay_id,
        scores.observed_at,
        max(scores.score) filter (where scores.variable = 'gcs_eye') as eye,
        max(scores.score) filter (where scores.variable = 'gcs_motor') as motor,
        -- 0 is a tube
        max(
            if(scores.is_intubated or (scores.score = 1 and silent.stay_id is not null), 0, scores.score)
        ) filter (where scores.variable = 'gcs_verbal') as verbal
    from scores
    left join silent on scores.stay_id = silent.stay_id and scores.observed_at = silent.observed_at
    group by scores.stay_id, scores.observed_at
),

before as (
    select
        *,
        lag(observed_at) over by_time > observed_at - interval 6 hour as is_recent,
        lag(eye) over by_time as eye_before,
        lag(motor) over by_time as motor_before,
        lag(verbal) over by_time as verbal_before
    from charted
    window by_time as (partition by stay_id order by observed_at)
),

final as (
    select
        before.stay_id,
        before.observed_at,
        {{ hours_since('stays.intime', 'before.observed_at') }} as hours,
        case
            when coalesce(verbal, if(is_recent, verbal_before, null)) = 0 then 15
            -- what was scored with the tube is not carried over to the time without
            when is_recent and coalesce(verbal_before, 5) > 0
                then coalesce(eye, eye_before, 4) + coalesce(motor, motor_before, 6) + coalesce(verbal, verbal_before, 5)
            else coalesce(eye, 4) + coalesce(motor, 6) + coalesce(verbal, 5)
        end as gcs
    from before
    inner join {{ ref('int_stays') }} as stays on before.stay_id = stays.stay_id
)

select * from final

-- The lines of ECGs in patient profiles: one each, with what the cart measured.
-- Grain: one row per stay and electrocardiogram.
{{ config(materialized='view', schema='intermediate') }}

-- What is unpivoted is a named CTE: otherwise the text of the view contains the database name, and fails under another.
with ecgs as (
    select * exclude (available_at, path) from {{ ref('ecgs') }}
),

measured as (
    unpivot ecgs
    on columns(* exclude (stay_id, study_id, observed_at, hours)) into name variable value value
),

told as (
    select
        measured.stay_id,
        measured.study_id,
        measured.observed_at,
        measured.hours,
        string_agg(
            concat_ws(' ', measurements.label, printf('%g', round(measured.value)), measurements.unit),
            ', '
            order by measurements.label
        ) as text
    from measured
    inner join {{ ref('ecg_measurements') }} as measurements on measured.variable = measurements.variable
    group by measured.stay_id, measured.study_id, measured.observed_at, measured.hours
),

final as (
    select
        stay_id,
        hours,
        row_number() over (partition by stay_id order by observed_at, study_id) as position,
        text
    from told
)

select * from final

-- Arterial blood gases of stays and of the day before: the oxygen pressure over the inspired fraction. The fraction is that
-- of the specimen, else the last one charted of the patient in the 4 hours before it, in whichever ICU stay.
-- Rules: MIMIC Code Repository, bg and sofa. A fraction may be written as such or in percent; other values are left out.
-- Grain: one row per stay and specimen.
{{ config(post_hook=[
    "{{ stop_at_rows('select itemid from ' ~ ref('blood_gas_items') ~ ' as seed inner join ' ~ ref('stg_mimiciv__d_labitems') ~ ' as items using (itemid)'
        ~ ' where lower(seed.label) is distinct from lower(items.label)',
        'seeds/concepts/blood_gas_items.csv: an itemid has another label in hosp/d_labitems', 'Correct its itemid, or its label.') }}",
]) }}

with values_of_gases as (
    select
        labs.*,
        items.variable
    from {{ ref('stg_mimiciv__labevents') }} as labs
    inner join {{ ref('blood_gas_items') }} as items on labs.itemid = items.itemid
    where labs.specimen_id is not null
),

gases as (
    select
        specimen_id,
        max(subject_id) as subject_id,
        max(charttime) as observed_at,
        max(valuenum) filter (where variable = 'po2') as po2,
        max(
            case
                when valuenum > 0.2 and valuenum <= 1 then 100 * valuenum
                when valuenum > 20 and valuenum <= 100 then valuenum
            end
        ) filter (where variable = 'fio2') as fio2
    from values_of_gases
    group by specimen_id
    having max(text) filter (where variable = 'specimen') = 'ART.'
),

stays as (
    select * from {{ ref('int_stays') }}
),

of_stays as (
    select
        stays.stay_id,
        stays.intime,
        gases.*
    from gases
    inner join stays
        on
            gases.subject_id = stays.subject_id
            and gases.observed_at >= stays.intime - interval 24 hour
            and gases.observed_at <= stays.outtime
    where gases.po2 > 0
),

charted as (
    select * from {{ ref('int_inspired_oxygen') }}
),

breathed as (
    select
        of_stays.*,
        coalesce(
            of_stays.fio2,
            if(charted.observed_at >= of_stays.observed_at - interval 4 hour, charted.fio2, null)
        ) as fraction
    from of_stays
    asof left join charted on of_stays.subject_id = charted.subject_id and of_stays.observed_at >= charted.observed_at
),

ventilated as (
    select distinct
        breathed.stay_id,
        breathed.specimen_id
    from breathed
    inner join {{ ref('int_ventilation_spans') }} as spans
        on
            breathed.stay_id = spans.stay_id
            and breathed.observed_at between spans.started_at and spans.ended_at
    where spans.support = 'invasive ventilation'
),

final as (
    select
        breathed.stay_id,
        breathed.specimen_id,
        breathed.observed_at,
        {{ hours_since('breathed.intime', 'breathed.observed_at') }} as hours,
        100 * breathed.po2 / breathed.fraction as pao2_fio2,
        ventilated.stay_id is not null as is_ventilated
    from breathed
    left join ventilated on breathed.stay_id = ventilated.stay_id and breathed.specimen_id = ventilated.specimen_id
    where breathed.fraction is not null
)

select * from final

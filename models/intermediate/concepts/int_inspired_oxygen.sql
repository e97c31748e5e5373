-- The inspired fraction of oxygen as charted, in percent. It may be written as a fraction or in percent; other values are
-- left out.
-- Rules: MIMIC Code Repository, bg.
-- Grain: one row per patient and time.
with charted as (
    select
        stays.subject_id,
        charts.charttime,
        charts.valuenum
    from {{ ref('stg_mimiciv__chartevents') }} as charts
    inner join {{ ref('int_stays') }} as stays on charts.stay_id = stays.stay_id
    inner join {{ ref('respiratory_items') }} as items on charts.itemid = items.itemid
    where items.means = 'oxygen fraction'
),

final as (
    select
        subject_id,
        charttime as observed_at,
        max(if(valuenum <= 1, 100 * valuenum, valuenum)) as fio2
    from charted
    where
        charttime is not null
        and ((valuenum > 0.2 and valuenum <= 1) or valuenum between 20 and 100)
    group by subject_id, charttime
)

select * from final

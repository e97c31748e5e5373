-- Radiology reports of the cohort in the window.
-- Grain: one row per stay and report.
with reports as (
    select * from {{ ref('int_radiology_reports') }}
),

cohort as (
    select * from {{ ref('cohort') }}
),

final as (
    select
        reports.stay_id,
        reports.note_id,
        reports.observed_at,
        reports.available_at,
        reports.hours,
        reports.text
    from reports
    inner join cohort on reports.stay_id = cohort.stay_id
    where {{ in_window('reports', 'cohort') }}
    order by reports.stay_id, reports.observed_at, reports.note_id
)

select * from final

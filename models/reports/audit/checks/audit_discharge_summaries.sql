-- Are there discharge summaries among the reports?
-- Grain: one row per stay and report.
with reports as (
    select * from {{ ref('radiology_reports') }}
),

final as (
    select
        stay_id,
        if(note_id like '%-DS-%', 'discharge summary', null) as problem,
        false as is_chosen
    from reports
)

select * from final

-- Laboratory values of the cohort in the window: cleaned, not imputed. The window is cut by when a value was stored:
-- a creatinine is known an hour or more after the draw.
-- Grain: one row per value; one reported twice for a time stands twice.
with labs as (
    select * from {{ ref('int_labs_cleaned') }}
    where value is not null
),

cohort as (
    select * from {{ ref('cohort') }}
),

final as (
    select
        labs.stay_id,
        labs.variable,
        labs.observed_at,
        labs.available_at,
        labs.hours,
        labs.value,
        labs.itemid
    from labs
    inner join cohort on labs.stay_id = cohort.stay_id
    where {{ in_window('labs', 'cohort') }}
    order by labs.stay_id, labs.observed_at, labs.itemid, labs.value, labs.available_at
)

select * from final

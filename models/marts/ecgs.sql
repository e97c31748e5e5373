-- Electrocardiograms of the cohort in the window, with what the cart measured.
-- Grain: one row per stay and electrocardiogram.
with ecgs as (
    select * from {{ ref('int_ecgs') }}
),

cohort as (
    select * from {{ ref('cohort') }}
),

final as (
    select ecgs.* exclude (removed)
    from ecgs
    inner join cohort on ecgs.stay_id = cohort.stay_id
    where {{ in_window('ecgs', 'cohort') }}
    order by ecgs.stay_id, ecgs.observed_at, ecgs.study_id
)

select * from final

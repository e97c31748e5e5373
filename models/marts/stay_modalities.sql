-- Which modalities each stay of the cohort has in the window.
-- Grain: one row per stay and modality, except modalities that every stay has.
with modalities as (
    select * from {{ ref('int_stay_modalities') }}
),

cohort as (
    select * from {{ ref('cohort') }}
),

final as (
    select
        modalities.stay_id,
        modalities.modality,
        modalities.in_window
    from modalities
    inner join cohort on modalities.stay_id = cohort.stay_id
    order by modalities.stay_id, modalities.modality
)

select * from final

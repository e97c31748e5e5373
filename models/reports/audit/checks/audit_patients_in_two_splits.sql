-- Does a patient have stays in two splits?
-- Grain: one row per stay of the cohort.
with items as (
    select
        stay_id,
        subject_id as item
    from {{ ref('cohort') }}
),

final as (
    {{ shared_by_two_splits('items') }}
)

select * from final

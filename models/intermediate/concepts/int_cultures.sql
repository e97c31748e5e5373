-- Specimens for microbiology, of any kind: taking one shows that an infection was suspected.
-- Rules: MIMIC Code Repository, suspicion_of_infection.
-- Grain: one row per specimen.
with events as (
    select * from {{ ref('stg_mimiciv__microbiologyevents') }}
),

final as (
    select
        micro_specimen_id,
        max(subject_id) as subject_id,
        cast(max(chartdate) as date) as taken_on,
        max(charttime) as taken_at
    from events
    where micro_specimen_id is not null and chartdate is not null
    group by micro_specimen_id
)

select * from final

-- Were rows of a modality observed or stored outside the window? The window is recomputed from intime, and ends with
-- the stay at the latest.
-- Grain: one row per row of a modality's mart.
{%- set matched = modalities() | selectattr('matched', 'defined') | list %}
with settings as (
    select
        cast(variables ->> 'window_start_hours' as double) as start_hours,
        cast(variables ->> 'window_end_hours' as double) as end_hours,
        (variables ->> 'availability') = 'observed' as by_observation,
        (variables ->> 'window_closed') = 'left' as closed_left
    from {{ ref('cohort_definition') }}
),

cohort as (
    select
        cohort.stay_id,
        cohort.intime + to_microseconds(cast(settings.start_hours * 3.6e9 as bigint)) as opens_at,
        least(cohort.intime + to_microseconds(cast(settings.end_hours * 3.6e9 as bigint)), cohort.outtime) as closes_at
    from {{ ref('cohort') }} as cohort
    cross join settings
),

found as (
    {%- for modality in matched %}
    select
        '{{ modality.name }}' as modality,
        stay_id,
        observed_at,
        available_at
    from {{ ref(modality.rows) }}
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
),

final as (
    select
        found.stay_id,
        found.modality || ' ' || case
            when cohort.stay_id is null then 'not of the cohort'
            when found.observed_at < cohort.opens_at or (found.observed_at = cohort.opens_at and not settings.closed_left)
                then 'observed before the window'
            when found.observed_at > cohort.closes_at or (found.observed_at = cohort.closes_at and settings.closed_left)
                then 'observed after the window'
            when found.available_at > cohort.closes_at or (found.available_at = cohort.closes_at and settings.closed_left)
                then 'stored after the window'
        end as problem,
        settings.by_observation and ends_with(problem, 'stored after the window') as is_chosen
    from found
    left join cohort on found.stay_id = cohort.stay_id
    cross join settings
)

select * from final

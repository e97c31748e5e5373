-- Does the grid of a time series reach outside the window?
-- Grain: one row per grid, stay, bin and variable.
{%- set grids = modalities() | selectattr('grid', 'defined') | list %}
with settings as (
    select
        cast(variables ->> 'window_start_hours' as double) as start_hours,
        cast(variables ->> 'window_end_hours' as double) as end_hours
    from {{ ref('cohort_definition') }}
),

grids as (
    {%- for modality in grids %}
    select
        '{{ modality.name }}' as modality,
        stay_id,
        hour
    from {{ ref(modality.grid) }}
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
),

final as (
    select
        grids.stay_id,
        if(
            grids.hour >= settings.start_hours and grids.hour < settings.end_hours,
            null,
            grids.modality || ' at hour ' || grids.hour
        ) as problem,
        false as is_chosen
    from grids
    cross join settings
)

select * from final

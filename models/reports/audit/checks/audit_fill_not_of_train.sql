-- Is a bin that needs a median filled with something other than the median of the train split? Bins and medians are
-- recomputed: from the bins measured in each time series or, by variable and hour, from the bins that these fill.
-- Where bins are zero when nothing runs: do the bins of a stay add up to the amount given?
-- Grain: one row per stay, variable and bin that needs a median; for what runs, one per stay and variable.
{%- set series = modalities() | selectattr('grid', 'defined') | rejectattr('fill', 'defined') | list %}
{%- set zero = modalities() | selectattr('fill', 'equalto', 'zero') | list %}
with settings as (
    select
        cast(variables ->> 'window_start_hours' as double) as start_hours,
        cast(variables ->> 'bin_hours' as double) as bin_hours,
        (variables ->> 'window_closed') = 'left' as closed_left,
        variables ->> 'imputation' as imputation,
        (variables ->> 'median_fill') = 'variable_and_hour' as by_hour
    from {{ ref('cohort_definition') }}
),

cohort as (
    select * from {{ ref('cohort') }}
),

found as (
    {%- for modality in series %}
    select
        '{{ modality.name }}' as modality,
        stay_id,
        variable,
        hours,
        value
    from {{ ref(modality.rows) }}
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
),

events as (
    select
        found.*,
        (round(found.hours * 3.6e9) - settings.start_hours * 3.6e9) / (settings.bin_hours * 3.6e9) as bins,
        if(settings.closed_left, floor(bins), ceil(bins) - 1) as bin
    from found
    cross join settings
),

grids as (
    {%- for modality in series %}
    select
        '{{ modality.name }}' as modality,
        stay_id,
        variable,
        hour,
        value
    from {{ ref(modality.grid) }}
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
),

first_measured as (
    select
        modality,
        stay_id,
        variable,
        min(bin) as bin
    from events
    group by modality, stay_id, variable
),

train_bins as (
    select
        events.modality,
        events.variable,
        null as hour,
        avg(events.value) as value
    from events
    inner join cohort on events.stay_id = cohort.stay_id
    cross join settings
    where cohort.split = 'train' and not settings.by_hour
    group by events.modality, events.stay_id, events.variable, events.bin

    union all

    select
        grids.modality,
        grids.variable,
        grids.hour,
        grids.value
    from grids
    inner join cohort on grids.stay_id = cohort.stay_id
    inner join first_measured
        on
            grids.modality = first_measured.modality
            and grids.stay_id = first_measured.stay_id
            and grids.variable = first_measured.variable
    cross join settings
    where
        cohort.split = 'train'
        and settings.by_hour
        and (
            settings.imputation = 'forward_backward'
            or grids.hour > settings.start_hours + first_measured.bin * settings.bin_hours - 1e-6
        )
),

train_medians as (
    select
        modality,
        variable,
        hour,
        median(value) as value
    from train_bins
    group by modality, variable, hour
),

-- Bins of variables that were never measured in the stay; under `forward`, also those before the first measurement.
filled as (
    select
        grids.stay_id,
        if(
            abs(grids.value - train_medians.value) <= 1e-9 * greatest(abs(train_medians.value), 1),
            null,
            grids.variable
        ) as problem,
        false as is_chosen
    from grids
    cross join settings
    inner join train_medians
        on
            grids.modality = train_medians.modality
            and grids.variable = train_medians.variable
            and grids.hour = coalesce(train_medians.hour, grids.hour)
    left join first_measured
        on
            grids.modality = first_measured.modality
            and grids.stay_id = first_measured.stay_id
            and grids.variable = first_measured.variable
    where
        settings.imputation != 'none'
        and (
            first_measured.bin is null
            or (
                settings.imputation = 'forward'
                and grids.hour < settings.start_hours + first_measured.bin * settings.bin_hours - 1e-6
            )
        )
),

{% for modality in zero %}
{{ modality.name }}_given as (
    select
        stay_id,
        variable,
        sum(value * if(is_bolus, 1, epoch(ended_at - observed_at) / 3600)) as amount
    from {{ ref(modality.rows) }}
    group by stay_id, variable
),

{{ modality.name }}_held as (
    select
        grid.stay_id,
        grid.variable,
        sum(grid.value * settings.bin_hours) as amount,
        bool_or(grid.value <> 0 and not grid.measured) as has_other_than_zero
    from {{ ref(modality.grid) }} as grid
    cross join settings
    group by grid.stay_id, grid.variable
),
{% endfor %}
final as (
    select * from filled
    {%- for modality in zero %}

    union all

    select
        coalesce(held.stay_id, given.stay_id) as stay_id,
        if(
            held.has_other_than_zero
            or abs(coalesce(held.amount, 0) - coalesce(given.amount, 0)) > 1e-6 * greatest(abs(given.amount), 1),
            coalesce(held.variable, given.variable),
            null
        ) as problem,
        false as is_chosen
    from {{ modality.name }}_held as held
    full join {{ modality.name }}_given as given on held.stay_id = given.stay_id and held.variable = given.variable
    {%- endfor %}
)

select * from final

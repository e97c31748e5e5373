{#- The rows of a time series on a complete grid: the mean of each bin, missing bins imputed by the setting imputation.
    `forward`: by the last bin before, else by a median of the train split. `forward_backward` (the paper's): the
    same, but the first bin after comes before the median. `none`: null. The median is that of the variable or, by
    median_fill, of the variable and bin, over the stays whose bin is filled by then.
    modality: a row of vars.modalities. flags: boolean columns of its rows that go with a value; a bin has one
    where any of its rows has it. may_be_absent: where no stay has a row, there is no grid either. -#}
{% macro hourly_grid(modality, rows, flags=[], may_be_absent=false) %}
{%- set start = setting('window_start_hours') %}
{%- set width = setting('bin_hours') %}
{%- set bins = bins_in_window() %}
{%- set by_bin = setting('median_fill') == 'variable_and_hour' and setting('imputation') != 'none' %}
{%- set unfilled = 'null' if by_bin else 'typical.value' %}
with cohort as (
    select * from {{ ref('cohort') }}
),

variables as (
    select * from {{ ref('time_series_variables') }}
    where modality = '{{ modality }}'{% if may_be_absent %} and exists (from {{ rows }}){% endif %}
),

binned as (
    select
        stay_id,
        variable,
        {{ bin_of('hours') }} as bin,
        avg(value) as value
        {%- for flag in flags %},
        bool_or({{ flag }}) as {{ flag }}
        {%- endfor %}
    from {{ rows }}
    group by stay_id, variable, bin
),

-- Typical values come from the train split only: those of other splits would leak.
typical as (
    select
        variables.variable,
        coalesce(medians.value, variables.fallback_value) as value
    from variables
    left join (
        select
            binned.variable,
            median(binned.value) as value
        from binned
        inner join cohort on binned.stay_id = cohort.stay_id
        where cohort.split = 'train'
        group by binned.variable
    ) as medians on variables.variable = medians.variable
),

first_measured as (
    select
        stay_id,
        variable,
        min(bin) as bin,
        arg_min(value, bin) as value
        {%- for flag in flags %},
        arg_min({{ flag }}, bin) as {{ flag }}
        {%- endfor %}
    from binned
    group by stay_id, variable
),

-- The bins from which a value applies: each measured bin, and the first bin if it is not measured.
starts as (
    select
        *,
        true as is_measurement
    from binned

    union all

    select
        cohort.stay_id,
        typical.variable,
        0 as bin,
        {%- if setting('imputation') == 'forward_backward' %}
        coalesce(first_measured.value, {{ unfilled }}) as value,
        {%- for flag in flags %}
        coalesce(first_measured.{{ flag }}, false) as {{ flag }},
        {%- endfor %}
        {%- else %}
        {{ unfilled }} as value,
        {%- for flag in flags %}
        false as {{ flag }},
        {%- endfor %}
        {%- endif %}
        false as is_measurement
    from cohort
    cross join typical
    left join first_measured
        on cohort.stay_id = first_measured.stay_id and typical.variable = first_measured.variable
    where first_measured.bin is distinct from 0
),

-- Each value applies until the next start: forward fill without a join over the whole grid.
stretches as (
    select
        *,
        lead(bin, 1, {{ bins }}) over (partition by stay_id, variable order by bin) as next_bin
    from starts
),

grid as (
    select
        stay_id,
        variable,
        cast(unnest(range(bin, next_bin)) as integer) as bin,
        value,
        {%- for flag in flags %}
        {{ flag }},
        {%- endfor %}
        is_measurement,
        bin as start_bin
    from stretches
),

filled as (
    {%- if by_bin %}
    select
        grid.* exclude (value),
        coalesce(grid.value, medians.value, typical.value) as value
    from grid
    inner join typical on grid.variable = typical.variable
    left join (
        select
            grid.variable,
            grid.bin,
            median(grid.value) as value
        from grid
        inner join cohort on grid.stay_id = cohort.stay_id
        where cohort.split = 'train'
        group by grid.variable, grid.bin
    ) as medians on grid.variable = medians.variable and grid.bin = medians.bin
    {%- else %}
    select * from grid
    {%- endif %}
),

final as (
    select
        stay_id,
        round(cast({{ start }} + bin * {{ width }} as double), 6) as hour,
        variable,
        {%- if setting('imputation') == 'none' %}
        if(is_measurement and bin = start_bin, value, null) as value,
        {%- else %}
        value,
        {%- endif %}
        is_measurement and bin = start_bin as measured
        {%- for flag in flags %},
        -- taken from the bin that the value comes from
        {%- if setting('imputation') == 'none' %}
        is_measurement and bin = start_bin and {{ flag }} as {{ flag }}
        {%- else %}
        {{ flag }}
        {%- endif %}
        {%- endfor %}
    from filled
)

select * from final
{% endmacro %}


{#- Infusions and boluses on a complete grid of bins: the mean rate over each bin. The rates of one variable are added
    up, and the part of a bin in which nothing runs counts as 0. A bolus adds to its bin what its value would give
    in an hour. Nothing is imputed: a bin without a row is 0, and that is known. Where no stay has a row, the file is
    absent, and there is no grid either.
    modality: name of a row of vars.modalities with `fill: zero`. rows: its mart, with ended_at and is_bolus. -#}
{% macro hourly_rates(modality, rows) %}
{%- set start = setting('window_start_hours') %}
{%- set hours = setting('bin_hours') %}
{%- set width = (hours * 3.6e9) | round | int %}
with cohort as (
    select * from {{ ref('cohort') }}
),

variables as (
    select * from {{ ref('time_series_variables') }}
    where modality = '{{ modality }}' and exists (from {{ rows }})
),

-- Times in whole microseconds since the start of the window.
given as (
    select
        events.stay_id,
        events.variable,
        events.value,
        events.hours,
        events.is_bolus,
        epoch_us(events.observed_at) - epoch_us(cohort.window_start) as began,
        epoch_us(events.ended_at) - epoch_us(cohort.window_start) as ended
    from {{ rows }} as events
    inner join cohort on events.stay_id = cohort.stay_id
),

parts as (
    select
        *,
        unnest(range(began // {{ width }}, (ended + {{ width }} - 1) // {{ width }})) as bin
    from given
    where not is_bolus
),

amounts as (
    select
        stay_id,
        variable,
        bin,
        value * (least(ended, (bin + 1) * {{ width }}) - greatest(began, bin * {{ width }})) as amount
    from parts

    union all

    select
        stay_id,
        variable,
        {{ bin_of('hours') }} as bin,
        value * 3600000000 as amount
    from given
    where is_bolus
),

-- Added up in a fixed order: otherwise the last digit would depend on the threads.
binned as (
    select
        stay_id,
        variable,
        bin,
        sum(amount order by amount) / {{ width }} as value
    from amounts
    group by stay_id, variable, bin
),

grid as (
    select
        cohort.stay_id,
        variables.variable,
        bins.bin
    from cohort
    cross join variables
    cross join (select unnest(range({{ bins_in_window() }})) as bin) as bins
),

final as (
    select
        grid.stay_id,
        round(cast({{ start }} + grid.bin * {{ hours }} as double), 6) as hour,
        grid.variable,
        coalesce(binned.value, 0) as value,
        binned.value is not null as measured
    from grid
    left join binned
        on
            grid.stay_id = binned.stay_id
            and grid.variable = binned.variable
            and grid.bin = binned.bin
)

select * from final
{% endmacro %}

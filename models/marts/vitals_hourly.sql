-- Vital signs on a complete grid: the mean of each bin, missing bins imputed by the setting imputation.
-- `forward`: by the last bin before, else by a median of the train split. `forward_backward` (the paper's):
-- the same, but the first bin after comes before the median. `none`: null. The median is that of the
-- variable or, by median_fill, of the variable and bin, over the stays whose bin is filled by then.
-- Grain: one row per stay, bin and variable; `hour` is where the bin starts, in hours since intime.
{%- set start = setting('window_start_hours') %}
{%- set width = setting('bin_hours') %}
{%- set bins = bins_in_window() %}
{%- set by_bin = setting('median_fill') == 'variable_and_hour' and setting('imputation') != 'none' %}
{%- set unfilled = 'null' if by_bin else 'typical.value' %}
with cohort as (
    select * from {{ ref('cohort') }}
),

binned as (
    select
        stay_id,
        variable,
        {{ bin_of('hours') }} as bin,
        avg(value) as value,
        bool_or(is_intubated) as is_intubated
    from {{ ref('vitals_events') }}
    group by stay_id, variable, bin
),

-- Typical values come from the train split only: those of other splits would leak.
typical as (
    select
        variables.variable,
        coalesce(medians.value, variables.fallback_value) as value
    from {{ ref('int_variables') }} as variables
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
        arg_min(value, bin) as value,
        arg_min(is_intubated, bin) as is_intubated
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
        coalesce(first_measured.is_intubated, false) as is_intubated,
        {%- else %}
        {{ unfilled }} as value,
        false as is_intubated,
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
        is_intubated,
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
        is_measurement and bin = start_bin as measured,
        -- taken from the bin that the value comes from
        {%- if setting('imputation') == 'none' %}
        is_measurement and bin = start_bin and is_intubated as is_intubated
        {%- else %}
        is_intubated
        {%- endif %}
    from filled
)

select * from final

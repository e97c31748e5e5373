-- Vital signs on a complete grid: the mean of each bin, missing bins filled as the setting imputation
-- says. `forward`: the last bin before it, else the median of the variable over the train split.
-- `forward_backward`: as the paper, the first bin after it before the median. `none`: null.
-- Grain: one row per stay, bin and variable; `hour` is where the bin starts, in hours since intime.
{%- set start = setting('window_start_hours') %}
{%- set width = setting('bin_hours') %}
{%- set bins = bins_in_window() %}
with cohort as (
    select * from {{ ref('cohort') }}
),

binned as (
    select
        stay_id,
        variable,
        -- whole microseconds: floor(0.3 / 0.1) is 2
        cast(floor((round(hours * 3.6e9) - {{ start }} * 3.6e9) / ({{ width }} * 3.6e9)) as integer) as bin,
        avg(value) as value,
        bool_or(is_intubated) as is_intubated
    from {{ ref('vitals_events') }}
    group by stay_id, variable, bin
),

-- Only the train split may say what is typical.
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
        arg_min(value, bin) as value,
        arg_min(is_intubated, bin) as is_intubated
    from binned
    group by stay_id, variable
),

bins as (
    select
        bin,
        round(cast({{ start }} + bin * {{ width }} as double), 6) as hour
    from (select cast(unnest(range({{ bins }})) as integer) as bin) as numbers
),

grid as (
    select
        cohort.stay_id,
        bins.bin,
        bins.hour,
        typical.variable,
        typical.value as typical_value
    from cohort
    cross join typical
    cross join bins
),

final as (
    select
        grid.stay_id,
        grid.hour,
        grid.variable,
        {%- if setting('imputation') == 'forward' %}
        coalesce(binned.value, grid.typical_value) as value,
        {%- elif setting('imputation') == 'forward_backward' %}
        coalesce(binned.value, first_measured.value, grid.typical_value) as value,
        {%- else %}
        if(binned.bin = grid.bin, binned.value, null) as value,
        {%- endif %}
        coalesce(binned.bin = grid.bin, false) as measured,
        -- of the bin that the value comes from
        {%- if setting('imputation') == 'forward' %}
        coalesce(binned.is_intubated, false) as is_intubated
        {%- elif setting('imputation') == 'forward_backward' %}
        coalesce(binned.is_intubated, first_measured.is_intubated, false) as is_intubated
        {%- else %}
        coalesce(binned.bin = grid.bin and binned.is_intubated, false) as is_intubated
        {%- endif %}
    from grid
    -- the last bin measured up to this one: forward fill without a window over the whole grid
    asof left join binned
        on
            grid.stay_id = binned.stay_id
            and grid.variable = binned.variable
            and grid.bin >= binned.bin
    {%- if setting('imputation') == 'forward_backward' %}
    left join first_measured
        on
            grid.stay_id = first_measured.stay_id
            and grid.variable = first_measured.variable
    {%- endif %}
)

select * from final

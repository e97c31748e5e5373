-- Encoders read a grid as it is: a missing bin or value would silently become zero or NaN. Every
-- stay x bin x variable has one row (unique_combination proves that it has no second), and a number
-- unless imputation is none. A modality that is not the paper's may be absent: then its grid is empty.
{%- set grids = modalities() | selectattr('grid', 'defined') | list %}
with found as (
    {%- for modality in grids %}
    select
        '{{ modality.grid }}' as grid,
        cohort.stay_id,
        count(grid.stay_id) as cells,
        count(grid.stay_id) filter (where grid.value is null or not isfinite(grid.value)) as holes,
        (
            select count(distinct variable) * {{ bins_in_window() }}
            from {{ ref(modality.seed) }}
            {%- if not modality.in_paper %}
            where exists (from {{ ref(modality.rows) }})
            {%- endif %}
        ) as expected
    from {{ ref('cohort') }} as cohort
    left join {{ ref(modality.grid) }} as grid on cohort.stay_id = grid.stay_id
    group by cohort.stay_id
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
)

select *
from found
where
    cells != expected
    or (holes > 0 and '{{ setting("imputation") }}' != 'none')

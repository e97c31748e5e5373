-- Encoders read the grid as it is: a missing bin or value would silently become zero or NaN. Every
-- stay x bin x variable has one row (unique_combination proves that it has no second), and a number
-- unless imputation is none.
with expected as (
    select count(distinct variable) * {{ bins_in_window() }} as cells
    from {{ ref('vital_signs') }}
),

found as (
    select
        cohort.stay_id,
        count(grid.stay_id) as cells,
        count(grid.stay_id) filter (where grid.value is null or not isfinite(grid.value)) as holes
    from {{ ref('cohort') }} as cohort
    left join {{ ref('vitals_hourly') }} as grid on cohort.stay_id = grid.stay_id
    group by cohort.stay_id
)

select found.*
from found
cross join expected
where
    found.cells != expected.cells
    or (found.holes > 0 and '{{ setting("imputation") }}' != 'none')

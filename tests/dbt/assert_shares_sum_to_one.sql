-- The shares of the modalities sum to 1.
select
    run_id,
    population,
    method,
    sum(share) as total
from {{ ref('contributions') }}
group by run_id, population, method
having abs(sum(share) - 1) > 1e-9 or bool_or(share < 0)

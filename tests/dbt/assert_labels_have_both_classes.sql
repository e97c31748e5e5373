-- A label that is the same for every stay is the classic sign of a wrong join. It may be chance in a
-- small cohort, so it only warns.
{{ config(severity='warn') }}

select
    task,
    min(label) as label
from {{ ref('labels') }}
group by task
having min(label) = max(label)

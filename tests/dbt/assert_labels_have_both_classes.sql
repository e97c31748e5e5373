-- A label that is the same for every stay is the classic sign of a join gone wrong. A small cohort may
-- have one by chance, so it only warns.
{{ config(severity='warn') }}

select
    task,
    min(label) as label
from {{ ref('labels') }}
group by task
having min(label) = max(label)

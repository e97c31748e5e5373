-- A variable that nobody has measured is nothing but fill: a wrong itemid in seeds/concepts/vital_signs.csv,
-- unless the cohort is small, so it only warns.
{{ config(severity='warn') }}

select distinct vital_signs.variable
from {{ ref('vital_signs') }} as vital_signs
anti join {{ ref('vitals_events') }} as events on vital_signs.variable = events.variable

-- A variable without any measurement consists of imputed values only: probably a wrong itemid in
-- seeds/vital_signs.csv, but it may be chance in a small cohort, so it only warns.
{{ config(severity='warn') }}

select distinct vital_signs.variable
from {{ ref('vital_signs') }} as vital_signs
anti join {{ ref('vitals_events') }} as events on vital_signs.variable = events.variable

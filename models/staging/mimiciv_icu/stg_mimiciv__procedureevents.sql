-- Procedures as documented, each with its start and end; they are stored at their end.
-- Grain: one row per row of procedureevents.
select
    stay_id,
    itemid,
    starttime,
    endtime,
    storetime
from {{ source('mimiciv_icu', 'procedureevents') }}
order by stay_id, starttime, itemid, endtime, storetime

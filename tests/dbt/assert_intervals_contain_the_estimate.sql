-- An estimate lies within its interval. Left out: ece and measures over groups, which noise can only raise
-- (or only lower), so that all resamples may lie on one side of the estimate.
select
    run_id,
    metric,
    value,
    ci_low,
    ci_high
from {{ ref('metrics') }}
where metric != 'ece' and not (value between ci_low - 1e-12 and ci_high + 1e-12)

union all

select
    run_id,
    subgroup || ' ' || metric as metric,
    value,
    ci_low,
    ci_high
from {{ ref('subgroup_metrics') }}
where not (value between ci_low - 1e-12 and ci_high + 1e-12)

union all

select
    run_id,
    method || ' ' || modality as metric,
    share as value,
    ci_low,
    ci_high
from {{ ref('contributions') }}
where not (share between ci_low - 1e-12 and ci_high + 1e-12)

union all

select
    evaluation_run_id as run_id,
    concat_ws(' ', learner, condition, subgroup, counting, metric) as metric,
    value,
    ci_low,
    ci_high
from {{ ref('learner_metrics') }}
where metric != 'ece' and not (value between ci_low - 1e-12 and ci_high + 1e-12)

union all

select
    evaluation_run_id as run_id,
    concat_ws(' ', learner, modality, metric) as metric,
    value,
    ci_low,
    ci_high
from {{ ref('learner_contributions') }}
where not (value between ci_low - 1e-12 and ci_high + 1e-12)

-- The modalities' shares of the contributions to a learner's P(yes) sum to 1.
select
    learner,
    cohort_hash,
    task,
    sum(value) as total
from {{ ref('learner_contributions') }}
where metric = 'share' and value is not null
group by learner, cohort_hash, task
having abs(sum(value) - 1) > 1e-9 or bool_or(value < 0)

-- Each prediction of a current arm is for a stay of the cohort, with the split and the label that the stay
-- has now.
select
    predictions.run_id,
    predictions.stay_id
from {{ ref('predictions') }} as predictions
inner join {{ ref('report_arms') }} as arms on predictions.run_id = arms.run_id
left join {{ ref('cohort') }} as cohort on predictions.stay_id = cohort.stay_id
left join {{ ref('labels') }} as labels on predictions.stay_id = labels.stay_id and predictions.task = labels.task
where
    predictions.split is distinct from cohort.split
    or predictions.y_true is distinct from labels.label
    or not (predictions.y_score between 0 and 1)

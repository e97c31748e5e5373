-- With a patient in both train and test, a model can recognise the patient instead of predicting: in a
-- split by stay, about 45 % of the test stays share a patient with train. The setting split_unit: stay
-- (the paper's) allows it, so then nothing is asserted.
select
    subject_id,
    count(distinct split) as splits
from {{ ref('cohort') }}
where '{{ setting("split_unit") }}' = 'patient'
group by subject_id
having count(distinct split) > 1

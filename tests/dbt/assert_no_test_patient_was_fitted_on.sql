-- No model that predict fits for an arm was fitted on a test stay, nor on another stay of its patient,
-- unless stays are split instead of patients, as in the paper. reports.audit checks the fits of encoders.
with test_stays as (
    select
        stay_id,
        subject_id
    from {{ ref('cohort') }}
    where split = 'test'
),

fitted_on as (
    select
        arms.run_id,
        fits.component,
        unnest(fits.fitted_on) as stay_id
    from {{ ref('report_arms') }} as arms
    inner join {{ ref('fits') }} as fits on arms.run_id = fits.run_id
)

select
    fitted_on.run_id,
    fitted_on.component,
    fitted_on.stay_id
from fitted_on
left join {{ ref('cohort') }} as cohort on fitted_on.stay_id = cohort.stay_id
where
    fitted_on.stay_id in (select stay_id from test_stays)
    or ('{{ setting("split_unit") }}' = 'patient' and cohort.subject_id in (select subject_id from test_stays))

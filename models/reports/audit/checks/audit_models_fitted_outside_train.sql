-- Was a current model fitted outside fit_splits, or on patients of the test split?
-- Grain: one row per fit of a model and stay that it was fitted on.
with definition as (
    select
        (variables ->> 'split_unit') = 'patient' as split_by_patient,
        from_json(variables ->> 'fit_splits', '["varchar"]') as fit_splits
    from {{ ref('cohort_definition') }}
),

cohort as (
    select
        *,
        max(split = 'test') over (partition by subject_id) as is_of_test_patient
    from {{ ref('cohort') }}
),

arms as (
    select * from {{ ref('report_arms') }}
),

model_stays as (
    select
        arms.task || ' ' || arms.arm || ' by ' || arms.fusion as fit,
        definition.fit_splits as may_see,
        unnest(coalesce(nullif(fits.fitted_on, []), [null])) as stay_id
    from arms
    inner join {{ ref('fits') }} as fits on arms.run_id = fits.run_id
    cross join definition
),

final as (
    select
        model_stays.stay_id,
        {{ seen_outside('model_stays') }} as problem,
        false as is_chosen
    from model_stays
    left join cohort on model_stays.stay_id = cohort.stay_id
    cross join definition
)

select * from final

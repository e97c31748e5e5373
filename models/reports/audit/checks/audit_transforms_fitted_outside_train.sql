-- Did an encoder learn from stays that it must not see?
-- Grain: one row per fit of an encoder and stay that it learned from; stay_id is null if these are not known.
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

runs as (
    select * from {{ ref('runs') }}
),

-- The fits behind the vectors of the present cohort; if a run no longer exists, its fit cannot be verified.
transforms as (
    select distinct
        encoded.encoder,
        encoded.task,
        runs.settings ->> 'fit_hash' as fit_hash
    from {{ ref('current_vectors') }} as encoded
    left join runs on encoded.run_id = runs.run_id
    where runs.run_id is null or (runs.settings ->> 'fit_hash') is not null
),

-- Encoders that are trained for a task use validation for early stopping; the others do not need it.
transform_stays as (
    select
        concat_ws(' ', transforms.encoder, transforms.task) as fit,
        if(transforms.task is null, definition.fit_splits, ['train', 'validation']) as may_see,
        unnest(coalesce(nullif(fitted.fitted_on, []), [null])) as stay_id
    from transforms
    cross join definition
    left join {{ ref('fitted') }} as fitted
        on
            transforms.encoder = fitted.encoder
            and transforms.task is not distinct from fitted.task
            and transforms.fit_hash = fitted.fit_hash
),

final as (
    select
        transform_stays.stay_id,
        {{ seen_outside('transform_stays') }} as problem,
        false as is_chosen
    from transform_stays
    left join cohort on transform_stays.stay_id = cohort.stay_id
    cross join definition
)

select * from final

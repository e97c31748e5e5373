-- The part of reports.audit that asks what was learned from stays that it must not see: encoders' own
-- transforms, the models of the arms that stand, and the choice between baselines.
-- Grain: one row per check.
{{ config(alias='audit_fits') }}

with definition as (
    select
        cohort_hash,
        (variables ->> 'split_unit') = 'patient' as split_by_patient,
        variables ->> 'baseline_chosen_on' as baseline_chosen_on,
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

runs as (
    select * from {{ source('results', 'runs') }}
),

-- What the vectors of the present cohort rest on; a run that is not there anymore cannot be vouched for.
transforms as (
    select distinct
        encoded.encoder,
        encoded.task,
        runs.settings ->> 'fit_hash' as fit_hash
    from {{ source('embeddings', 'encoded') }} as encoded
    inner join definition on encoded.cohort_hash = definition.cohort_hash
    left join runs on encoded.run_id = runs.run_id
    where runs.run_id is null or (runs.settings ->> 'fit_hash') is not null
),

-- Those that are trained for a task stop early, on validation; the others have no use for it.
transform_stays as (
    select
        concat_ws(' ', transforms.encoder, transforms.task) as fit,
        if(transforms.task is null, definition.fit_splits, ['train', 'validation']) as may_see,
        unnest(coalesce(fitted.fitted_on, [null])) as stay_id
    from transforms
    cross join definition
    left join {{ source('embeddings', 'fitted') }} as fitted
        on
            transforms.encoder = fitted.encoder
            and transforms.task is not distinct from fitted.task
            and transforms.fit_hash = fitted.fit_hash
),

model_stays as (
    select
        arms.task || ' ' || arms.arm || ' by ' || arms.fusion as fit,
        definition.fit_splits as may_see,
        unnest(fits.fitted_on) as stay_id
    from arms
    inner join {{ source('results', 'fits') }} as fits on arms.run_id = fits.run_id
    cross join definition
),
{% for kind in ['transform', 'model'] %}
{{ kind }}_fits as (
    select
        seen.stay_id,
        case
            when seen.stay_id is null then seen.fit || ': unknown stays'
            when cohort.stay_id is null then seen.fit || ': not of the cohort'
            when not list_contains(seen.may_see, cohort.split) then seen.fit || ': ' || cohort.split
            when definition.split_by_patient and cohort.is_of_test_patient then seen.fit || ': patient of test'
        end as problem,
        false as is_chosen
    from {{ kind }}_stays as seen
    left join cohort on seen.stay_id = cohort.stay_id
    cross join definition
),
{% endfor %}
baselines as (
    select
        cast(null as integer) as stay_id,
        if(definition.baseline_chosen_on = 'test', 'baseline_chosen_on is test', null) as problem,
        true as is_chosen
    from arms
    cross join definition
),

final as (
    {{ audit_checks({
        'transforms_fitted_outside_train': 'transform_fits',
        'models_fitted_outside_train': 'model_fits',
        'baseline_chosen_on_test': 'baselines',
    }) }}
)

select * from final

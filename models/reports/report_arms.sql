-- The current arms: for each, its latest run of predict on what the marts hold now, what the grid search
-- chose, whether the fit converged, and how good it is on validation. All other reports on arms are about
-- these runs.
-- Grain: one row per task, arm and fusion.
{{ config(alias='arms') }}

with runs as (
    select * from {{ ref('current_runs') }}
    where kind = 'predict'
),

models as (
    select * from {{ ref('fits') }}
    where component = 'model'
),

-- A late fusion has converged if all of its models have.
fits as (
    select
        run_id,
        bool_and(converged) as converged,
        string_agg(component || ': ' || reason, '; ' order by component) as not_converged
    from {{ ref('fits') }}
    group by run_id
),

-- The worst case over its encoders: max() works because in the alphabet no < unknown < yes.
seen as (
    select
        inputs.run_id,
        max(coalesce(encoders.saw_mimic, 'unknown')) as saw_mimic
    from {{ ref('run_inputs') }} as inputs
    left join {{ ref('encoder_modalities') }} as named on inputs.encoder = named.vectors
    left join {{ ref('encoders') }} as encoders on named.encoder = encoders.encoder
    group by inputs.run_id
),

-- An arm that builds on any time-series baseline of the paper has the purpose of the arm that builds on the best one.
purposes as (
    select
        runs.run_id,
        coalesce(exact.purpose, built.purpose, 'other') as purpose
    from runs
    left join {{ ref('arms') }} as exact on runs.settings ->> 'arm' = exact.arm
    left join {{ ref('arms') }} as baselines
        on
            baselines.purpose = 'paper'
            and regexp_extract(runs.settings ->> 'arm', '^structured\[[^\]]*\]') = baselines.arm
    left join {{ ref('arms') }} as built
        on replace(runs.settings ->> 'arm', baselines.arm || '+', 'structured[best]+') = built.arm
),

evaluations as (
    select
        metrics.run_id,
        max(metrics.evaluation_run_id) as evaluation_run_id,
        max(metrics.value) filter (
            where metrics.split = 'validation' and metrics.population = 'all' and metrics.metric = 'auroc'
        ) as validation_auroc
    from {{ ref('metrics') }} as metrics
    inner join {{ ref('current_evaluations') }} as evaluated
        on metrics.evaluation_run_id = evaluated.run_id and metrics.population = evaluated.population
    group by metrics.run_id
),

final as (
    select
        runs.task,
        runs.settings ->> 'arm' as arm,
        runs.settings ->> 'fusion' as fusion,
        purposes.purpose,
        models.penalty,
        models.c,
        models.cv_auroc,
        evaluations.validation_auroc,
        models.features,
        len(models.fitted_on) as fitted_on,
        fits.converged,
        fits.not_converged,
        coalesce(seen.saw_mimic, 'no') as saw_mimic, -- presence reads no encoder
        runs.run_id,
        evaluations.evaluation_run_id,
        runs.cohort_hash,
        runs.protocol,
        runs.is_synthetic,
        runs.code_version,
        runs.seed,
        runs.finished_at
    from runs
    inner join models on runs.run_id = models.run_id
    inner join fits on runs.run_id = fits.run_id
    inner join purposes on runs.run_id = purposes.run_id
    left join seen on runs.run_id = seen.run_id
    left join evaluations on runs.run_id = evaluations.run_id
)

select * from final
order by task, arm, fusion

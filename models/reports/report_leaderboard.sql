-- Tables II and III: every arm on the test split, with 95 % intervals over patients, beside the metrics
-- that the paper published for the arm, if any. Published arms that were not run here have a row of their own.
-- Grain: one row per task, arm, fusion and population (all stays; complete: with vitals, image,
-- text; mimic_cxr_years: of the years that MIMIC-CXR covers).
{{ config(alias='leaderboard') }}
{%- set metrics = [
    'auroc', 'auprc', 'accuracy', 'sensitivity_at_alert_rate', 'ppv_at_alert_rate', 'specificity_at_sensitivity',
    'sensitivity', 'specificity', 'ppv', 'f1', 'brier', 'calibration_slope', 'calibration_intercept', 'ece'
] %}
{%- set published = ['auroc', 'auprc', 'accuracy'] %}

with arms as (
    select * from {{ ref('report_arms') }}
),

metrics as (
    select metrics.*
    from {{ ref('metrics') }} as metrics
    inner join {{ ref('current_evaluations') }} as evaluated
        on metrics.evaluation_run_id = evaluated.run_id and metrics.population = evaluated.population
    where metrics.split = 'test'
),

encoders as (
    select * from {{ ref('encoders') }}
),

published as (
    select
        *,
        concat(
            'structured[', time_series, ']',
            '+image[' || image || ']',
            '+text[' || text || ']'
        ) as arm,
        -- as in reports.arms
        (
            select max(encoders.saw_mimic) from encoders
            where encoders.encoder in (paper.time_series, paper.image, paper.text)
        ) as saw_mimic
    from {{ ref('paper_results') }} as paper
),

ours as (
    select
        run_id,
        population,
        {%- for metric in metrics %}
        max(value) filter (where metric = '{{ metric }}') as {{ metric }}_value,
        max(ci_low) filter (where metric = '{{ metric }}') as {{ metric }}_low,
        max(ci_high) filter (where metric = '{{ metric }}') as {{ metric }}_high,
        max(reason) filter (where metric = '{{ metric }}') as {{ metric }}_reason,
        {%- endfor %}
        max(threshold) filter (where metric = 'sensitivity') as threshold,
        max(n) as n,
        max(n_positive) as n_positive
    from metrics
    group by run_id, population
),

measured as (
    select
        arms.task,
        arms.arm,
        arms.fusion,
        arms.purpose,
        ours.*,
        arms.converged,
        arms.saw_mimic,
        arms.evaluation_run_id,
        arms.cohort_hash,
        arms.protocol,
        arms.is_synthetic
    from ours
    inner join arms on ours.run_id = arms.run_id
),

final as (
    select
        coalesce(measured.task, published.task) as task,
        coalesce(measured.arm, published.arm) as arm,
        measured.fusion,
        coalesce(measured.purpose, 'paper') as purpose,
        coalesce(measured.population, 'all') as population,
        coalesce(measured.saw_mimic, published.saw_mimic) as saw_mimic,
        measured.n,
        measured.n_positive,
        greatest(measured.n_positive, measured.n - measured.n_positive) / measured.n as majority_accuracy,
        {%- for metric in published %}
        {{ with_interval('measured', metric ~ '_value', metric ~ '_low', metric ~ '_high') }} as {{ metric }},
        {%- endfor %}
        {%- for metric in published %}
        {{ with_interval('published', metric, metric ~ '_low', metric ~ '_high') }} as published_{{ metric }},
        {%- endfor %}
        {%- for metric in published %}
        published.{{ metric }} as published_{{ metric }}_value,
        published.{{ metric }}_low as published_{{ metric }}_low,
        published.{{ metric }}_high as published_{{ metric }}_high,
        {%- endfor %}
        case
            when measured.auroc_low is not null and not measured.is_synthetic
                then measured.auroc_value - published.auroc
        end as auroc_minus_published,
        {%- for metric in metrics %}
        measured.{{ metric }}_value,
        measured.{{ metric }}_low,
        measured.{{ metric }}_high,
        measured.{{ metric }}_reason,
        {%- endfor %}
        measured.threshold,
        measured.converged,
        measured.run_id,
        measured.evaluation_run_id,
        measured.cohort_hash,
        measured.protocol,
        measured.is_synthetic
    from measured
    full outer join published
        on
            measured.task = published.task
            and measured.arm = published.arm
            and measured.population = 'all'
)

select * from final
order by task, population, arm, fusion

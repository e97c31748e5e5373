-- Figures 6 and 7: every multimodal learner on the test split under each condition, with 95 % intervals over
-- patients, both with refusals left out and with refusals counted as wrong. Beside it, on all test stays, the
-- best arm of the modular framework: of those with the default fusion, the one with the highest AUROC on
-- validation. reports.learner_comparisons compares them on the same stays.
-- Grain: one row per task, learner and condition.
{{ config(alias='learners') }}
{%- set figures = {'share_answered': ('asked', 'share_answered')} %}
{%- for counting in ['answered', 'as_wrong'] %}
{%- for metric in ['accuracy', 'sensitivity', 'specificity', 'ppv', 'f1'] %}
{%- do figures.update({metric ~ '_' ~ counting: (counting, metric)}) %}
{%- endfor %}
{%- endfor %}
{%- for metric in ['auroc', 'auprc', 'brier', 'calibration_slope', 'calibration_intercept', 'ece'] %}
{%- do figures.update({metric: ('p_yes', metric)}) %}
{%- endfor %}
{%- set asked_by = [
    'model', 'resolved_model', 'revision', 'dtype', 'endpoint', 'prompt', 'prompt_version', 'prompt_hash'
] %}

with definition as (
    select * from {{ ref('cohort_definition') }}
),

cohort as (
    select * from {{ ref('cohort') }}
    where split = 'test'
),

labels as (
    select * from {{ ref('labels') }}
    where label is not null
),

learners as (
    select * from {{ ref('learners') }}
),

answers as (
    select answers.*
    from {{ ref('current_answers') }} as answers
    inner join cohort on answers.stay_id = cohort.stay_id
    inner join labels on answers.stay_id = labels.stay_id and answers.task = labels.task
),

asked as (
    select
        task,
        learner,
        fingerprint,
        cohort_hash,
        condition,
        {%- for name in asked_by %}
        string_agg(distinct {{ name }}, ', ' order by {{ name }}) as {{ name }},
        {%- endfor %}
        count(*) as n_asked,
        count(*) filter (where status = 'answered' and parsed in ('yes', 'no')) as n_answered,
        count(*) filter (where status != 'answered') as n_errors,
        count(*) - n_answered - n_errors as n_refused
    from answers
    group by task, learner, fingerprint, cohort_hash, condition
),

hashed as (
    select * from {{ ref('current_answer_hashes') }}
),

measured as (
    select
        task,
        learner,
        fingerprint,
        cohort_hash,
        condition,
        {%- for name, (counting, metric) in figures.items() %}
        {%- for column in ['value', 'ci_low', 'ci_high', 'reason'] %}
        max({{ column }}) filter (where counting = '{{ counting }}' and metric = '{{ metric }}')
            as {{ name }}_{{ column | replace('ci_', '') }},
        {%- endfor %}
        {%- endfor %}
        max(n) filter (where counting = 'asked') as n,
        max(n) filter (where counting = 'p_yes') as n_p_yes,
        {%- for counting in ['answered', 'as_wrong'] %}
        max(greatest(n_positive, n - n_positive) / nullif(n, 0)) filter (where counting = '{{ counting }}')
            as majority_accuracy_{{ counting }},
        {%- endfor %}
        max(n_positive) filter (where counting = 'asked') as n_positive,
        max(answers_hash) as answers_hash,
        max(evaluation_run_id) as evaluation_run_id
    from {{ ref('learner_metrics') }}
    where attribute is null
    group by task, learner, fingerprint, cohort_hash, condition
),

evaluated as (
    select run_id from {{ ref('current_evaluations') }}
    where population = 'all'
),

best_arms as (
    select board.*
    from {{ ref('report_leaderboard') }} as board
    inner join {{ ref('report_arms') }} as arms on board.run_id = arms.run_id
    cross join definition
    where board.population = 'all' and board.fusion = (definition.variables ->> 'fusion')
    qualify row_number() over (partition by board.task order by arms.validation_auroc desc nulls last, board.arm asc) = 1
),

final as (
    select
        measured.task,
        measured.learner,
        learners.technique,
        learners.domain,
        coalesce(learners.saw_mimic, 'unknown') as saw_mimic,
        learners.saw_mimic_source,
        measured.condition,
        asked.n_asked,
        asked.n_answered,
        asked.n_refused,
        asked.n_errors,
        measured.n,
        measured.n_positive,
        measured.n_p_yes,
        measured.majority_accuracy_answered,
        measured.majority_accuracy_as_wrong,
        {%- for name in figures %}
        {{ with_interval('measured', name ~ '_value', name ~ '_low', name ~ '_high') }} as {{ name }},
        {%- endfor %}
        best_arms.arm as best_arm,
        best_arms.saw_mimic as best_arm_saw_mimic,
        best_arms.accuracy as best_arm_accuracy,
        best_arms.majority_accuracy as best_arm_majority_accuracy,
        best_arms.auroc as best_arm_auroc,
        {%- for name in figures %}
        measured.{{ name }}_value,
        measured.{{ name }}_low,
        measured.{{ name }}_high,
        measured.{{ name }}_reason,
        {%- endfor %}
        best_arms.accuracy_value as best_arm_accuracy_value,
        best_arms.auroc_value as best_arm_auroc_value,
        best_arms.run_id as best_arm_run_id,
        {%- for name in asked_by %}
        asked.{{ name }},
        {%- endfor %}
        coalesce(measured.answers_hash = hashed.answers_hash, false) and evaluated.run_id is not null as is_current,
        measured.fingerprint,
        measured.evaluation_run_id,
        measured.cohort_hash,
        definition.protocol,
        definition.is_synthetic
    from measured
    inner join asked
        on
            measured.task = asked.task
            and measured.learner = asked.learner
            and measured.fingerprint = asked.fingerprint
            and measured.cohort_hash = asked.cohort_hash
            and measured.condition = asked.condition
    left join hashed
        on
            asked.task = hashed.task
            and asked.learner = hashed.learner
            and asked.fingerprint = hashed.fingerprint
            and asked.condition = hashed.condition
    left join evaluated on measured.evaluation_run_id = evaluated.run_id
    cross join definition
    left join learners on measured.learner = learners.learner
    left join best_arms on measured.task = best_arms.task
)

select * from final
order by task, learner, condition

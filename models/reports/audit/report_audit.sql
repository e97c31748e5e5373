-- What `charthouse audit` prints: is there a fault, where, and what to do. A view over the tables as they are now, so
-- it also sees changes made after the build; the rows behind such a check are in reports.audit_<check>. Other checks
-- are run only by `charthouse audit`: for those it has the findings of its last run on these marts, with checked_at.
-- Grain: one row per check.
{{ config(alias='audit') }}

-- Maximum number of stays listed; `stays` counts all of them.
{%- set most_stays = 1000 %}
-- Every file of the folder checks, because dbt must know them before it can read seeds/audit_checks.csv, which has
-- the question of each and the order in which they are printed.
{%- set checks = [
    'patients_in_two_splits',
    'splits_not_of_the_hash',
    'images_in_two_splits',
    'image_vectors_in_two_splits',
    'report_texts_in_two_splits',
    'report_near_copies_in_two_splits',
    'vitals_under_two_patients',
    'rows_past_cutoff',
    'vitals_hourly_past_cutoff',
    'fill_not_of_train',
    'discharge_summaries',
    'outcome_words',
    'profile_images_past_cutoff',
    'outcome_in_window',
    'labels_constant',
    'columns_separate_classes',
    'words_separate_classes',
    'vectors_separate_classes',
    'transforms_fitted_outside_train',
    'models_fitted_outside_train',
    'baseline_chosen_on_test',
    'embeddings_of_another_cohort',
    'predictions_of_another_cohort',
    'predictions_of_another_outcome',
    'predictions_in_sample',
    'predictions_of_other_embeddings',
    'predictions_changed_since',
    'answers_outside_test',
    'shots_outside_train',
] %}

with checks as (
    select * from {{ ref('audit_checks') }}
),

looked_at as (
    {%- for check in checks %}
    select
        {{ text_literal(check) }} as check_name,
        stay_id,
        problem,
        is_chosen
    from {{ ref('audit_' ~ check) }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

found as (
    select
        check_name,
        count(*) as checked,
        count(*) filter (where problem is not null and not is_chosen) as failed,
        count(distinct stay_id) filter (where problem is not null and not is_chosen) as failed_stays,
        list(distinct stay_id order by stay_id)
        filter (where problem is not null and not is_chosen and stay_id is not null) as failed_stay_ids,
        string_agg(distinct problem, ', ' order by problem) filter (where problem is not null and not is_chosen) as failed_detail,
        count(*) filter (where problem is not null and is_chosen) as chosen,
        count(distinct stay_id) filter (where problem is not null and is_chosen) as chosen_stays,
        list(distinct stay_id order by stay_id)
        filter (where problem is not null and is_chosen and stay_id is not null) as chosen_stay_ids,
        string_agg(distinct problem, ', ' order by problem) filter (where problem is not null and is_chosen) as chosen_detail
    from looked_at
    group by check_name
),

-- The last finished audit since the marts were last built.
last_run as (
    select
        runs.run_id,
        runs.finished_at
    from {{ ref('current_runs') }} as runs
    cross join {{ ref('cohort_definition') }} as definition
    where runs.kind = 'audit' and runs.started_at >= definition.built_at
),

computed_again as (
    select
        findings.check_name,
        findings.checked,
        findings.failed,
        findings.stays as failed_stays,
        findings.stay_ids as failed_stay_ids,
        findings.detail as failed_detail,
        last_run.finished_at as checked_at
    from {{ ref('audit_findings') }} as findings
    inner join last_run on findings.run_id = last_run.run_id
),

every_check as (
    select * from found
    union all by name
    select * from computed_again
),

final as (
    select
        checks.position,
        coalesce(checks.check_name, every_check.check_name) as check_name,
        checks.severity,
        checks.question,
        case
            when every_check.failed > 0 then if(checks.severity = 'warning', 'warning', 'failed')
            when every_check.chosen > 0 then 'by a chosen setting'
            when every_check.checked > 0 then 'passed'
            when every_check.checked = 0 or checks.check_name in ({{ text_list(checks) }}) then 'nothing to check'
            else 'not run'
        end as state,
        coalesce(every_check.checked, 0) as checked,
        if(every_check.failed > 0, every_check.failed, coalesce(every_check.chosen, 0)) as failing,
        if(every_check.failed > 0, every_check.failed_stays, coalesce(every_check.chosen_stays, 0)) as stays,
        list_slice(
            if(every_check.failed > 0, every_check.failed_stay_ids, every_check.chosen_stay_ids), 1, {{ most_stays }}
        ) as stay_ids,
        left(if(every_check.failed > 0, every_check.failed_detail, every_check.chosen_detail), 500) as detail,
        checks.mend,
        every_check.checked_at
    from checks
    full join every_check on checks.check_name = every_check.check_name
)

select * from final
order by position

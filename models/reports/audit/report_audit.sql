-- What `charthouse audit` prints: is there a fault, where, and what to do. A view over the tables as they
-- are now, so it also sees what was changed after the build. The rows behind a check: reports.audit_<check>.
-- Grain: one row per check.
{{ config(alias='audit') }}

-- So many stays are named at most; `stays` counts them all.
{%- set most_stays = 1000 %}
-- Every file of the folder checks: dbt must know them before it can read seeds/audit_checks.csv, which says
-- what each asks and in which order they are printed.
{%- set checks = [
    'patients_in_two_splits',
    'images_in_two_splits',
    'image_vectors_in_two_splits',
    'report_texts_in_two_splits',
    'report_near_copies_in_two_splits',
    'vitals_under_two_patients',
    'vitals_events_past_cutoff',
    'images_past_cutoff',
    'reports_past_cutoff',
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

final as (
    select
        checks.position,
        coalesce(checks.check_name, found.check_name) as check_name,
        checks.severity,
        checks.question,
        case
            when found.failed > 0 then if(checks.severity = 'warning', 'warning', 'failed')
            when found.chosen > 0 then 'by a chosen setting'
            when found.checked > 0 then 'passed'
            else 'nothing to check'
        end as state,
        coalesce(found.checked, 0) as checked,
        if(found.failed > 0, found.failed, coalesce(found.chosen, 0)) as failing,
        if(found.failed > 0, found.failed_stays, coalesce(found.chosen_stays, 0)) as stays,
        list_slice(if(found.failed > 0, found.failed_stay_ids, found.chosen_stay_ids), 1, {{ most_stays }}) as stay_ids,
        left(if(found.failed > 0, found.failed_detail, found.chosen_detail), 500) as detail,
        checks.mend
    from checks
    full join found on checks.check_name = found.check_name
)

select * from final
order by position

-- What `charthouse audit` prints: is there a leak, where, and what to do. A view over the tables as they
-- are now, so it also sees what was changed after the build. Rows of the audit_* views are the findings.
-- Grain: one row per check.
{{ config(alias='audit') }}

-- So many stays are named at most; `stays` counts them all.
{%- set most_stays = 1000 %}
{%- set undo = 'The marts were changed by hand or by a macro: undo that, then dbt build.' %}
{%- set predict = 'Run charthouse predict again, then charthouse evaluate.' %}
{%- set checks = [
    ('patients_in_two_splits', 'Does a patient have stays in two splits?', 'Set split_unit: patient. ' ~ undo),
    (
        'images_in_two_splits', 'Is the same X-ray in two splits?',
        'Keep the X-ray with the patient that it is of, in the raw files too; then dbt build, charthouse embed.',
    ),
    (
        'image_vectors_in_two_splits', 'Have two splits the very same vector of X-rays: one picture, two names?',
        'Look at the X-rays of these stays; drop the copy from the raw files, then dbt build, charthouse embed.',
    ),
    (
        'report_texts_in_two_splits', 'Is the same report text (short ones aside) in two splits?',
        'Read the reports of these stays: drop a copy from the raw files, then dbt build; a template is no leak.',
    ),
    (
        'vitals_events_past_cutoff', 'Were vital signs observed or stored outside the window?',
        'Set availability: available. ' ~ undo,
    ),
    (
        'images_past_cutoff', 'Were X-rays observed or stored outside the window?',
        'Set availability: available. ' ~ undo,
    ),
    (
        'reports_past_cutoff', 'Were reports observed or stored outside the window?',
        'Set availability: available. ' ~ undo,
    ),
    ('vitals_hourly_past_cutoff', 'Does the hourly grid reach outside the window?', undo),
    (
        'fill_not_of_train', 'Is what was not measured filled with other than the median of the train split?',
        undo,
    ),
    (
        'discharge_summaries', 'Are there discharge summaries among the reports?',
        'Take them out of note/radiology in the raw files, then dbt build.',
    ),
    ('profile_images_past_cutoff', 'Do profiles show X-rays that are not in the window?', undo),
    (
        'outcome_in_window', 'Did patients die or leave the ICU before the window ended?',
        'Set landmark: true. ' ~ undo,
    ),
    (
        'labels_constant', 'Have all stays of a task, or of a split of 50 or more, the same label?',
        'Look in marts.labels for a join that lost its rows; or take a larger cohort.',
    ),
    (
        'transforms_fitted_outside_train', 'Did an encoder learn from stays that it must not see?',
        'Run charthouse embed again; if it stays so, correct what the encoder is fitted on.',
    ),
    (
        'models_fitted_outside_train', 'Was a model fitted outside fit_splits, or on patients of the test split?',
        predict,
    ),
    (
        'baseline_chosen_on_test', 'Was the best baseline picked by its figures on the test split?',
        'Set baseline_chosen_on: validation, then dbt build. ' ~ predict,
    ),
    (
        'embeddings_of_another_cohort', 'Do embeddings of stays outside the cohort pass for its own?',
        'Run charthouse embed again.',
    ),
    (
        'predictions_of_another_cohort', 'Are predictions of other stays, splits or outcomes, double or missing?',
        predict,
    ),
    ('predictions_in_sample', 'Are stays scored by a model that was fitted on them?', predict),
    ('predictions_of_other_embeddings', 'Have embeddings changed since they were read?', predict),
    (
        'answers_outside_test', 'Are there answers about stays that are not of the test split?',
        'Delete these rows of results.answers, then charthouse evaluate: they are not scored.',
    ),
    (
        'shots_outside_train', 'Were learners shown examples that are not of the train split?',
        'Run charthouse ask again, then charthouse evaluate.',
    ),
] %}

with found as (
    {%- for part in ['splits', 'features', 'vitals', 'fits', 'predictions', 'answers'] %}
    select * from {{ ref('report_audit_' ~ part) }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

words as (
    {%- for name, question, mend in checks %}
    select
        {{ loop.index }} as position,
        {{ text_literal(name) }} as check_name,
        {{ text_literal(question) }} as question,
        {{ text_literal(mend) }} as mend
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

final as (
    select
        words.position,
        coalesce(words.check_name, found.check_name) as check_name,
        words.question,
        case
            when found.failed > 0 then 'failed'
            when found.chosen > 0 then 'by choice'
            when found.checked = 0 then 'nothing to check'
            when found.checked > 0 then 'passed'
        end as state,
        found.checked,
        if(found.failed > 0, found.failed, found.chosen) as failing,
        if(found.failed > 0, found.failed_stays, found.chosen_stays) as stays,
        list_slice(if(found.failed > 0, found.failed_stay_ids, found.chosen_stay_ids), 1, {{ most_stays }}) as stay_ids,
        left(if(found.failed > 0, found.failed_detail, found.chosen_detail), 500) as detail,
        words.mend
    from words
    full join found on words.check_name = found.check_name
)

select * from final
order by position

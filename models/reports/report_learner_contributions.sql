-- What each section of profiles, or each group of them (the setting shapley_groups), contributes to the P(yes) of a
-- multimodal learner: exact Shapley values. Those by other groups, from before the setting changed, are left out.
-- Grain: one row per task, learner, modality and metric.
{%- set by_these_groups %}
        (
            select list_sort(list(distinct other.modality))
            from found as other
            where
                other.task = found.task
                and other.learner = found.learner
                and other.fingerprint = found.fingerprint
                and other.cohort_hash = found.cohort_hash
        ) = list_sort([{{ text_list(shapley_groups()) }}])
{%- endset %}
{{ config(alias='learner_contributions') }}

{{ of_current_learners('learner_contributions', only=by_these_groups) }}

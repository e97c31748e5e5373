-- Figure 7: how good each multimodal learner is by subgroup, shown all evidence.
-- Grain: one row per task, learner, attribute, subgroup, counting and metric.
{{ config(alias='learner_subgroups') }}

{{ of_current_learners('learner_metrics', only='found.attribute is not null') }}

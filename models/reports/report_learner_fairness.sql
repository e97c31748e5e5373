-- How far apart the subgroups of each multimodal learner are: ratios, gaps, the worst group.
-- Grain: one row per task, learner, attribute, counting and metric.
{{ config(alias='learner_fairness') }}

{{ of_current_learners('learner_fairness') }}

-- What each modality contributes to the P(yes) of a multimodal learner: exact Shapley values.
-- Grain: one row per task, learner, modality and metric.
{{ config(alias='learner_contributions') }}

{{ of_current_learners('learner_contributions') }}

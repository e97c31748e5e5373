-- What moves the P(yes) of each multimodal learner: exact Shapley values, by modality.
-- Grain: one row per task, learner, modality and metric.
{{ config(alias='learner_contributions') }}

{{ of_current_learners('learner_contributions') }}

-- Figure 5: the share of each modality in what moves the scores of an arm.
-- Grain: one row per task, arm, fusion, population, method and modality.
{{ config(alias='contributions') }}

{{ of_standing_arms('contributions') }}

-- Does adding images help? One arm minus another on the same stays and resamples, with its p-value, raw and
-- corrected for multiple comparisons.
-- Grain: one row per question, task, pair of arms, population, attribute and metric.
{{ config(alias='comparisons') }}

{{ of_current_arms('comparisons', also='other_run_id') }}

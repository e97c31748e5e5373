-- Is a multimodal learner better than the modular framework, than itself without the picture, than another
-- learner? Differences on the same stays and resamples, if what is subtracted is current too.
-- Grain: one row per question, task, learner, what it is compared with, and metric.
{{ config(alias='learner_comparisons') }}
{%- set others_stand %}
        (
            found.other_learner is null
            or (found.other_learner, found.other_fingerprint) in (select (learner, fingerprint) from learners)
        )
        and (found.other_run_id is null or found.other_run_id in (select run_id from arms))
{%- endset %}

{{ of_current_learners('learner_comparisons', only=others_stand, other=true) }}

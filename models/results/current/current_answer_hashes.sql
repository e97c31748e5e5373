-- A hash of the learners' answers that are scored: an evaluation stores it, and is current while it is the same.
-- Errors are part of it: a question without an answer so far may have one later.
-- Grain: one row per task, learner and condition.
with answers as (
    select * from {{ ref('current_answers') }}
),

cohort as (
    select * from {{ ref('cohort') }}
    where split = 'test'
),

labels as (
    select * from {{ ref('labels') }}
),

final as (
    select
        answers.task,
        answers.learner,
        answers.fingerprint,
        answers.condition,
        md5(
            string_agg(
                concat(answers.stay_id, ':', answers.question_hash, ':', answers.parsed, ':', answers.p_yes),
                ',' order by answers.stay_id
            )
        ) as answers_hash
    from answers
    inner join cohort on answers.stay_id = cohort.stay_id
    inner join labels on answers.stay_id = labels.stay_id and answers.task = labels.task
    group by answers.task, answers.learner, answers.fingerprint, answers.condition
)

select * from final

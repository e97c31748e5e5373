-- What the answers of learners that are scored come to: an evaluation notes it, and stands while it is the same.
-- Of an error, too: where there is no answer so far, there may be one later.
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

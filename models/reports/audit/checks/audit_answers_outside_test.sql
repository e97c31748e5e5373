-- Are there answers about stays outside the test split? They are not scored.
-- Grain: one row per current answer of a learner.
with cohort as (
    select * from {{ ref('cohort') }}
),

answers as (
    select * from {{ ref('current_answers') }}
),

final as (
    select
        answers.stay_id,
        case
            when cohort.stay_id is null then answers.learner || ': not of the cohort'
            when cohort.split != 'test' then answers.learner || ': ' || cohort.split
        end as problem,
        false as is_chosen
    from answers
    left join cohort on answers.stay_id = cohort.stay_id
)

select * from final

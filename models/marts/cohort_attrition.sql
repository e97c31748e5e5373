-- How many stays and patients each cohort rule dropped, in the order of the rules;
-- intermediate.int_stays_screened says which rule dropped which stay.
-- Grain: one row per rule; step 0 is every ICU stay.
with stays as (
    select * from {{ ref('int_stays_screened') }}
),

steps as (
    select * from (values
        (0, 'all ICU stays')
        {%- for rule in cohort_criteria() %},
        ({{ loop.index }}, {{ text_literal(rule.criterion) }})
        {%- endfor %}
    ) as steps(step, criterion)
),

remaining as (
    select
        steps.step,
        steps.criterion,
        count(stays.stay_id) as stays,
        count(distinct stays.subject_id) as patients
    from steps
    left join stays on coalesce(stays.dropped_at_step > steps.step, true)
    group by steps.step, steps.criterion
),

final as (
    select
        step,
        criterion,
        stays,
        patients,
        coalesce(lag(stays) over (order by step) - stays, 0) as stays_dropped,
        coalesce(lag(patients) over (order by step) - patients, 0) as patients_dropped
    from remaining
    order by step
)

select * from final

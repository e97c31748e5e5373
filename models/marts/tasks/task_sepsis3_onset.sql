-- Does sepsis (Sepsis-3) begin after the window, in the ICU stay? It begins with the suspicion of the infection. Who is
-- septic with a suspicion before is not asked about; of some of these that shows only after the window, by an antibiotic
-- or a failing organ, and they are counted by themselves: nobody could have left them out in time.
-- Grain: one row per stay of the cohort.
with cohort as (
    select * from {{ ref('cohort') }}
),

asked as (
    select
        cohort.stay_id,
        cohort.outtime,
        sepsis.suspected_at,
        coalesce(
            {{ no_file_of('task_sepsis3_onset') }},
            case
                when {{ by_window_end('sepsis.met_at', 'cohort') }} then 'septic by the end of the window'
                when {{ by_window_end('sepsis.suspected_at', 'cohort') }}
                    then 'suspected by the end of the window, septic by what came after'
            end
        ) as excluded_because
    from cohort
    left join {{ ref('int_sepsis3') }} as sepsis on cohort.stay_id = sepsis.stay_id
),

final as (
    select
        stay_id,
        if(excluded_because is null, cast(suspected_at is not null as integer), null) as label,
        excluded_because,
        coalesce(suspected_at, outtime) as decided_at
    from asked
)

select * from final

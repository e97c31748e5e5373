-- Is a stay in another split than the settings give it? Recomputed by the macro that assigns the splits.
-- Grain: one row per stay of the cohort.
with cohort as (
    select * from {{ ref('cohort') }}
),

stays as (
    select * from {{ ref('int_stays') }}
),

final as (
    select
        cohort.stay_id,
        if(
            cohort.split = {{ split_of('stays') }},
            null,
            cohort.split
        ) as problem,
        false as is_chosen
    from cohort
    left join stays on cohort.stay_id = stays.stay_id
)

select * from final

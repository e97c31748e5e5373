-- Which figures of an evaluation stand: those of each population while labels and settings are as they were, those
-- of the complete stays while these are the same, too.
-- Grain: one row per run of evaluate and population.
with runs as (
    select * from {{ ref('runs') }}
    where kind = 'evaluate'
),

cohort as (
    select cohort_hash from {{ ref('cohort_definition') }}
),

populations as (
    select unnest(['all', 'complete', 'mimic_cxr_years']) as population
),

final as (
    select
        runs.run_id,
        populations.population
    from runs
    inner join cohort on runs.cohort_hash = cohort.cohort_hash
    cross join populations
    where
        {{ is_current(
            "list_filter(runs.reads, lambda read: populations.population = 'complete' or not starts_with(read, 'population '))"
        ) }}
)

select * from final

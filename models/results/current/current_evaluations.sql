-- Which metrics of an evaluation are current: those of every population while labels and settings are unchanged;
-- those of the complete stays only while these, too, are the same stays.
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

-- What is odd about prescriptions as MIMIC-IV has them, counted; of patients with an ICU stay.
-- Grain: one row per finding.
with

prescriptions as (
    select * from {{ ref('stg_mimiciv__prescriptions') }}
),

final as (
    select
        'prescriptions' as source,
        unnest([
            'no starttime: never used',
            'stoptime before starttime: counts from its start',
            'no drug_type or route: never an antibiotic',
            'a time outside the years that MIMIC shifts to'
        ]) as finding,
        unnest([
            count(*) filter (where starttime is null),
            count(*) filter (where stoptime < starttime),
            count(*) filter (where drug_type is null or route is null),
            count(*) filter (where {{ outside_shifted_years('starttime', 'stoptime') }})
        ]) as found,
        count(*) as of_rows
    from prescriptions
)

select * from final

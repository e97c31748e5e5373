-- Data-quality issues of patients in MIMIC-IV, counted; no row is dropped here.
-- Grain: one row per finding.
with

patients as (
    select * from {{ ref('stg_mimiciv__patients') }}
),

final as (
    select
        'patients' as source,
        unnest([
            'no anchor age or year: no age, stays dropped',
            'no anchor year group: era unknown',
            'gender is blank: UNKNOWN'
        ]) as finding,
        unnest([
            count(*) filter (where anchor_age is null or anchor_year is null),
            count(*) filter (where anchor_year_group is null),
            count(*) filter (where coalesce(trim(gender), '') = '')
        ]) as found,
        count(*) as of_rows
    from patients
)

select * from final

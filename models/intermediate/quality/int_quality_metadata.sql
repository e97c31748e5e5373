-- Data-quality issues of X-ray images in MIMIC-CXR, counted; no row is dropped here.
-- Grain: one row per finding.
with

metadata as (
    select * from {{ ref('stg_mimic_cxr__metadata') }}
),

final as (
    select
        'metadata' as source,
        unnest([
            'no study time, dropped',
            'no view position',
            'view position in small letters or with blanks: read as without',
            'a time outside the years that MIMIC shifts to'
        ]) as finding,
        unnest([
            count(*) filter (where study_at is null),
            count(*) filter (where coalesce(trim(view_position), '') = ''),
            count(*) filter (where view_position <> upper(trim(view_position)) and trim(view_position) <> ''),
            count(*) filter (where {{ outside_shifted_years('study_at') }})
        ]) as found,
        count(*) as of_rows
    from metadata
)

select * from final

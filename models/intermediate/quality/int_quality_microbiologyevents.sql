-- What is odd about the times of specimens as MIMIC-IV has them, counted; of patients with an ICU stay.
-- Grain: one row per finding.
with

events as (
    select * from {{ ref('stg_mimiciv__microbiologyevents') }}
),

final as (
    select
        'microbiologyevents' as source,
        unnest([
            'no micro_specimen_id: never used',
            'no chartdate: never used',
            'no charttime: only the day counts',
            'charttime on another day than chartdate',
            'a time outside the years that MIMIC shifts to'
        ]) as finding,
        unnest([
            count(*) filter (where micro_specimen_id is null),
            count(*) filter (where chartdate is null),
            count(*) filter (where charttime is null and chartdate is not null),
            count(*) filter (where cast(charttime as date) <> cast(chartdate as date)),
            count(*) filter (where {{ outside_shifted_years('chartdate', 'charttime') }})
        ]) as found,
        count(*) as of_rows
    from events
)

select * from final

-- Data-quality issues of radiology reports in MIMIC-IV-Note, counted; no row is dropped here.
-- Grain: one row per finding.
with

radiology as (
    select * from {{ ref('stg_mimiciv__radiology') }}
),

final as (
    select
        'radiology' as source,
        unnest([
            'hadm_id is null: {{ 'not matched' if setting('report_match') == 'admission' else 'matched by time' }}',
            'never stored: counts as available when charted',
            'empty text, dropped',
            'no charttime, dropped',
            'a time outside the years that MIMIC shifts to'
        ]) as finding,
        unnest([
            count(*) filter (where hadm_id is null),
            count(*) filter (where storetime is null),
            count(*) filter (where not coalesce(regexp_matches(text, '\S'), false)),
            count(*) filter (where charttime is null),
            count(*) filter (where {{ outside_shifted_years('charttime', 'storetime') }})
        ]) as found,
        count(*) as of_rows
    from radiology
)

select * from final

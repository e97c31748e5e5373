-- Possibly incomplete follow-up after live discharges, counted. MIMIC-IV gives no date on which its data end: a
-- discharge whose era reaches the last year of the release may be followed for less than 30 days.
-- Grain: one row per finding.
with

discharges as (
    select
        *,
        max(era_to) over () as last_year
    from {{ ref('int_discharges') }}
),

final as (
    select
        'discharges alive' as source,
        unnest([
            'dead within 30 days without readmission: readmission_30d is negative',
            'in the last years of the release without readmission: perhaps not followed for 30 days'
        ]) as finding,
        unnest([
            count(*) filter (where is_dead_in_30_days and not is_readmitted_in_30_days),
            count(*) filter (where era_to = last_year and not is_readmitted_in_30_days)
        ]) as found,
        count(*) as of_rows
    from discharges
    where not died_in_hospital and dischtime is not null
)

select * from final

-- Data-quality issues: counted here, they never stop a build. For vital signs, the rows that are kept are counted
-- too. Counts are over the raw tables, before the cohort rules.
-- Grain: one row per source and finding.
with

findings as (
    {%- for table in ['patients', 'admissions', 'discharges', 'icustays', 'chartevents', 'radiology', 'metadata'] %}
    select * from {{ ref('int_quality_' ~ table) }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

final as (
    select
        source,
        finding,
        cast(found as bigint) as rows_found,
        cast(of_rows as bigint) as of_rows
    from findings
    order by source, finding
)

select * from final

-- Rows that are merely dirty: counted here, never fatal; and beside the vital signs that are not kept,
-- those that are. Counts are over all rows of the raw tables, before the rules of the cohort.
-- Grain: one row per source and finding.
with

findings as (
    {%- for table in ['patients', 'admissions', 'discharges', 'icustays', 'chartevents', 'radiology', 'metadata', 'labevents'] %}
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

-- All that is known about a stay at admission; not los_days and outtime, which are the outcome of a task. A missing
-- value is the category null.
-- Grain: one row per stay of the cohort and column.
-- Columns are listed, because the text of a view that excludes several columns differs from build to build.
{%- set demographics = [
    'age', 'age_group', 'gender', 'race', 'race_group', 'marital_status', 'language', 'insurance',
    'first_careunit', 'era_from', 'era_to', 'in_mimic_cxr_years'
] %}
with stays as (
    select
        {%- for column in demographics %}
        coalesce(cast({{ column }} as varchar), 'null') as {{ column }},
        {%- endfor %}
        stay_id
    from {{ ref('cohort') }}
),

final as (
    unpivot stays
    on {{ demographics | join(', ') }} into name source value category
)

select * from final

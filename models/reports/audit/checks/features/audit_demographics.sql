-- All that is known of a stay at admission; los_days and outtime are the outcome of a task. What is missing is
-- the category null.
-- Grain: one row per stay of the cohort and column.
-- Listed, since the text of a view that leaves several columns out differs from build to build.
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

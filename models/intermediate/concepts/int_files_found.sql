-- Which of the optional files have rows that we read.
-- Grain: one row per file.
{%- set files = {
    'hosp/labevents': 'stg_mimiciv__labevents',
    'hosp/microbiologyevents': 'stg_mimiciv__microbiologyevents',
    'hosp/prescriptions': 'stg_mimiciv__prescriptions',
    'icu/inputevents': 'stg_mimiciv__inputevents',
    'icu/outputevents': 'stg_mimiciv__outputevents',
    'icu/procedureevents': 'stg_mimiciv__procedureevents',
} %}
with final as (
    {%- for file, staged in files.items() %}
    select
        '{{ file }}' as file,
        (select count(*) from {{ ref(staged) }}) > 0 as has_rows
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
)

select * from final

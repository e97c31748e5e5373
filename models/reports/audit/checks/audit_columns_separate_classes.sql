-- Does one column of the marts alone separate the classes of a task on train (AUROC over 0.9)? A number by its
-- size: demographics; each vital sign's value, and whether it was measured, in each bin; the number, mean, least,
-- greatest, first and last of its measurements and when; the number of X-rays and reports and when. A category of
-- a stay by being it.
-- Grain: one row per task and number or category with 10 patients of each class.
-- Listed, since the text of a view that leaves several columns out differs from build to build; what is unpivoted
-- has a name, since a view's text would else name the database, and not be read under another.
{%- set demographics = [
    'age', 'age_group', 'gender', 'race', 'race_group', 'marital_status', 'language', 'insurance',
    'first_careunit', 'era_from', 'era_to', 'in_mimic_cxr_years'
] %}
{%- set modalities = var('modalities') | selectattr('matched', 'defined') | list %}
{%- set series = modalities | selectattr('kind', 'equalto', 'time_series') | list %}
{%- set items = modalities | rejectattr('kind', 'equalto', 'time_series') | list %}
with patients as (
    {{ train_patients() }}
),

-- All that is known of a stay at admission; los_days and outtime are the outcome of a task.
demographics_of_stays as (
    select
        {%- for column in demographics %}
        coalesce(cast({{ column }} as varchar), 'null') as {{ column }},
        {%- endfor %}
        stay_id
    from {{ ref('cohort') }}
),

demographics as (
    unpivot demographics_of_stays
    on {{ demographics | join(', ') }} into name source value category
),

{% for modality in series if modality.grid %}
{{ modality.name }}_bins_of_stays as (
    select
        hourly.stay_id,
        hourly.variable || ' at hour ' || hourly.hour as source,
        cast(hourly.value as double) as value,
        cast(hourly.measured as double) as measured
    from {{ ref(modality.grid) }} as hourly
    semi join patients on hourly.stay_id = patients.stay_id
),

{{ modality.name }}_bins as (
    unpivot {{ modality.name }}_bins_of_stays
    on value, measured into name item value value
),
{% endfor %}
{%- for modality in series %}
{{ modality.name }}_of_stays as (
    select
        events.stay_id,
        events.variable as source,
        cast(count(*) as double) as number,
        avg(events.value) as mean,
        min(events.value) as least,
        max(events.value) as greatest,
        arg_min(events.value, events.hours) as first,
        arg_max(events.value, events.hours) as last,
        min(events.hours) as first_hour,
        max(events.hours) as last_hour
    from {{ ref(modality.rows) }} as events
    semi join patients on events.stay_id = patients.stay_id
    group by events.stay_id, events.variable
),

{{ modality.name }} as (
    unpivot {{ modality.name }}_of_stays
    on number, mean, least, greatest, first, last, first_hour, last_hour into name item value value
),
{% endfor %}
{%- for modality in items %}
{{ modality.name }}_of_stays as (
    select
        patients.stay_id,
        '{{ modality.name }}' as source,
        cast(count(found.stay_id) as double) as number,
        min(found.hours) as first_hour,
        max(found.hours) as last_hour,
        cast(sum({{ 'length(found.text)' if modality.kind == 'text' else 'null' }}) as double) as characters
    from (select distinct stay_id from patients) as patients
    left join {{ ref(modality.rows) }} as found on patients.stay_id = found.stay_id
    group by patients.stay_id
),

{{ modality.name }} as (
    unpivot {{ modality.name }}_of_stays
    on number, first_hour, last_hour, characters into name item value value
),
{% endfor %}
presences as (
    select
        stay_id,
        modality as source,
        cast(in_window as double) as value
    from {{ ref('stay_modalities') }}
),

numbers as (
    select
        stay_id,
        source,
        'number' as item,
        try_cast(category as double) as value
    from demographics
    where value is not null

    union all

    select
        stay_id,
        source,
        'presence' as item,
        value
    from presences
    {%- for modality in modalities %}

    union all

    select
        stay_id,
        source,
        item,
        value
    from {{ modality.name }}
    {%- if modality.grid %}

    union all

    select
        stay_id,
        source,
        item,
        value
    from {{ modality.name }}_bins
    {%- endif %}
    {%- endfor %}
),

numbers_by_label as (
    select
        patients.task,
        patients.label,
        numbers.source,
        numbers.item,
        numbers.value
    from numbers
    inner join patients on numbers.stay_id = patients.stay_id
),

categories_by_label as (
    select
        patients.task,
        patients.label,
        demographics.source,
        demographics.category as item
    from demographics
    inner join patients on demographics.stay_id = patients.stay_id
),

aurocs_of_numbers as (
    {{ auroc_of_numbers('numbers_by_label') }}
),

aurocs_of_categories as (
    {{ auroc_of_having('categories_by_label', 'categories_by_label') }}
),

aurocs as (
    select
        *,
        source || ' ' || item as name
    from aurocs_of_numbers

    union all

    -- by its md5: what stands in a column is of patients
    select
        *,
        source || ' category with md5 ' || left(md5(item), 8) || '...' as name
    from aurocs_of_categories
),

final as (
    {{ that_separate('aurocs') }}
)

select * from final

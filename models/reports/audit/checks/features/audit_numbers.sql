-- Numbers, each of which may separate the classes by its size. Columns: demographics; the value of each vital sign, and
-- whether it was measured, in each bin; the number, mean, least, greatest, first and last of its measurements and their
-- times; the number, times and length of X-rays and reports; which modalities there are. Vectors: each component,
-- counted from 0 as in results.coefficients.
-- Grain: one row per check (columns or vectors), task, stay of audit_train_patients, source and item.
-- What is unpivoted is a named CTE: otherwise the text of the view contains the database name, and fails under another.
{%- set matched = modalities() | selectattr('matched', 'defined') | list %}
{%- set series = matched | selectattr('kind', 'equalto', 'time_series') | list %}
{%- set items = matched | rejectattr('kind', 'equalto', 'time_series') | list %}
with patients as (
    select * from {{ ref('audit_train_patients') }}
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

columns_of_stays as (
    select
        stay_id,
        source,
        'number' as item,
        try_cast(category as double) as value
    from {{ ref('audit_demographics') }}
    where value is not null

    union all

    select
        stay_id,
        source,
        'presence' as item,
        value
    from presences
    {%- for modality in matched %}

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

final as (
    select
        'columns' as about,
        patients.task,
        patients.label,
        columns_of_stays.source,
        columns_of_stays.item,
        columns_of_stays.value
    from columns_of_stays
    inner join patients on columns_of_stays.stay_id = patients.stay_id

    union all

    select
        'vectors' as about,
        patients.task,
        patients.label,
        vectors.encoder as source,
        'component ' || unnest(range(len(vectors.vector))) as item,
        unnest(vectors.vector) as value
    from {{ ref('current_vectors') }} as vectors
    inner join patients on vectors.stay_id = patients.stay_id and coalesce(vectors.task, patients.task) = patients.task
)

select * from final

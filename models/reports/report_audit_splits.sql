-- The part of reports.audit that asks what stands in two splits: patients, X-rays, texts.
-- Grain: one row per check.
{{ config(alias='audit_splits') }}

-- Shorter texts are left out: they are phrases that many patients share, such as those of a normal chest
-- X-ray. Among 69,318 synthetic reports, all of other patients, equal ones have fewer characters.
{%- set shortest_text = 400 %}

with definition as (
    select
        cohort_hash,
        (variables ->> 'split_unit') = 'stay' as split_by_stay
    from {{ ref('cohort_definition') }}
),

cohort as (
    select * from {{ ref('cohort') }}
),

encoders as (
    select * from {{ ref('encoders') }}
),

texts as (
    select
        stay_id,
        lower(trim(regexp_replace(text, '\s+', ' ', 'g'))) as text
    from {{ ref('reports') }}
),

patients as (
    select
        cohort.stay_id,
        min(cohort.split) over of_patient as first_split,
        max(cohort.split) over of_patient as last_split,
        if(first_split = last_split, null, first_split || ' and ' || last_split) as problem,
        definition.split_by_stay as is_chosen
    from cohort
    cross join definition
    window of_patient as (partition by cohort.subject_id)
),

image_items as (
    select
        stay_id,
        dicom_id as item
    from {{ ref('images') }}
),

-- The same picture under two names gives the same vector.
image_vector_items as (
    select
        encoded.stay_id,
        concat_ws(' ', encoded.encoder, encoded.task, encoded.vector_hash) as item
    from {{ source('embeddings', 'encoded') }} as encoded
    inner join encoders on encoded.encoder = encoders.encoder
    inner join definition on encoded.cohort_hash = definition.cohort_hash
    where encoders.modality = 'image'
),

report_text_items as (
    select
        stay_id,
        md5(text) as item
    from texts
    where length(text) >= {{ shortest_text }}
),
{% for kind in ['image', 'image_vector', 'report_text'] %}
{{ kind }}s as (
    select
        items.stay_id,
        min(cohort.split) over of_item as first_split,
        max(cohort.split) over of_item as last_split,
        if(first_split = last_split, null, first_split || ' and ' || last_split) as problem,
        -- stays of one patient may lie in two splits, then what they share may too
        definition.split_by_stay
        and min(cohort.subject_id) over of_item = max(cohort.subject_id) over of_item as is_chosen
    from {{ kind }}_items as items
    inner join cohort on items.stay_id = cohort.stay_id
    cross join definition
    window of_item as (partition by items.item)
),
{% endfor %}
final as (
    {{ audit_checks({
        'patients_in_two_splits': 'patients',
        'images_in_two_splits': 'images',
        'image_vectors_in_two_splits': 'image_vectors',
        'report_texts_in_two_splits': 'report_texts',
    }) }}
)

select * from final

-- A hash of each part of the marts that results depend on: the data of the cohort's stays in each modality, the
-- labels of each task, the profiles that learners read, which stays have every modality of the paper, and the
-- evaluation settings. results.runs.reads lists the hashes that a run read; its results are current while these
-- still exist here, whatever else is added or changed. Each hash includes the cohort_hash (cohort_definition).
-- The rows of patient_profiles are hashed once, for learners and for text encoders (the modality profile); for the
-- encoders, the settings of texts and of every section count too.
-- Grain: one row per kind and name.
{%- set parts = [] %}
{%- for modality in modalities() if modality.name != 'profile' %}
{%- set rows = [modality.rows] + ([modality.seed] if modality.seed else []) %}
{%- do parts.append({'kind': 'modality', 'name': modality.name, 'rows': rows, 'shaped_by': [modality.name, modality.kind]}) %}
{%- endfor %}
{%- set of_sections = ['profile', 'text'] %}
{%- for modality in modalities() if modality.name in setting('profile_sections') %}
{%- do of_sections.extend([modality.name, modality.kind]) %}
{%- endfor %}
{%- do parts.append({'kind': 'modality', 'name': 'profile', 'rows': [], 'shaped_by': of_sections}) %}
{%- do parts.append({'kind': 'profile', 'name': 'patient_profiles', 'rows': [], 'shaped_by': ['profile']}) %}
with definition as (
    select cohort_hash from {{ ref('cohort_definition') }}
),

profiles as materialized (
    select {{ rows_hash('patient_profiles') }} as rows_hash from {{ ref('patient_profiles') }}
),

hashed as (
    {%- for part in parts %}
    select
        '{{ part.kind }}' as kind,
        '{{ part.name }}' as name,
        concat_ws(
            '|',
            {{ text_literal(tojson(settings_that_shape(part.shaped_by), sort_keys=true)) }}
            {%- for name in part.rows %},
            (select {{ rows_hash(name) }} from {{ ref(name) }})
            {%- else %},
            (select rows_hash from profiles)
            {%- endfor %}
        ) as content

    union all
    {% endfor %}
    select
        'task' as kind,
        task as name,
        {{ rows_hash('labels') }} as content
    from {{ ref('labels') }}
    group by task

    union all

    select
        'population' as kind,
        'complete' as name,
        concat(count(*), ':', sum(cast(md5_number_lower(cast(stay_id as varchar)) as hugeint))) as content
    from {{ ref('cohort') }}
    where is_complete

    union all

    select
        'settings' as kind,
        'evaluation' as name,
        {{ text_literal(tojson(settings_that_shape(['evaluation']), sort_keys=true)) }} as content
),

final as (
    select
        hashed.kind,
        hashed.name,
        md5(concat_ws('|', definition.cohort_hash, hashed.content)) as content_hash
    from hashed
    cross join definition
    order by hashed.kind, hashed.name
)

select * from final

-- Every encoder for every modality of its kind: its vectors are called by its name, and but for the first modality of
-- the kind by that of the modality after it.
-- Grain: one row per name of vectors.
{%- set first = {} %}
{%- for modality in modalities() %}
{%- do first.setdefault(modality.kind, modality.name) %}
{%- endfor %}
with encoders as (
    select * from {{ ref('encoders') }}
),

final as (
    {%- for modality in modalities() %}
    select
        {{ 'encoder' if first[modality.kind] == modality.name else "encoder || '__" ~ modality.name ~ "'" }} as vectors,
        encoder,
        '{{ modality.name }}' as modality
    from encoders
    where kind = '{{ modality.kind }}'
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
)

select * from final

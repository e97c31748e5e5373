-- Every encoder for every modality of its kind. Its vectors are named after the encoder; for all but the first
-- modality of the kind, followed by __<modality>.
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

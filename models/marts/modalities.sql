-- What is known of a stay, in the order of vars.modalities.
-- Grain: one row per modality.
with final as (
    select
        cast(position as integer) as position,
        modality,
        kind,
        mart,
        is_in_paper
    from (
        values
        {%- for modality in var('modalities') %}
        ({{ loop.index }}, '{{ modality.name }}', '{{ modality.kind }}', '{{ modality.rows }}', {{ modality.in_paper or false }})
        {{- ',' if not loop.last }}
        {%- endfor %}
    ) as modalities(position, modality, kind, mart, is_in_paper)
)

select * from final
order by position

-- The modalities: the kinds of data about a stay, in the order of vars.modalities.
-- Grain: one row per modality.
with final as (
    select
        cast(position as integer) as position,
        modality,
        kind,
        mart,
        grid,
        seed,
        is_in_paper
    from (
        values
        {%- for modality in modalities() %}
        (
            {{ loop.index }},
            '{{ modality.name }}',
            '{{ modality.kind }}',
            '{{ modality.rows }}',
            {{ text_literal(modality.grid) if modality.grid else 'null' }},
            {{ text_literal(modality.seed) if modality.seed else 'null' }},
            {{ modality.in_paper or false }}
        ){{ ',' if not loop.last }}
        {%- endfor %}
    ) as modalities(position, modality, kind, mart, grid, seed, is_in_paper)
)

select * from final
order by position

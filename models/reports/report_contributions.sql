-- Figure 5: the share of each modality in the contributions to the scores of an arm; by net contribution first.
-- Grain: one row per task, arm, fusion, population, method and modality.
{{ config(alias='contributions') }}

with contributions as (
    {{ of_current_arms('contributions') }}
),

final as (
    select
        *,
        case method
            when 'net' then 'net contribution of the modality'
            when 'absolute' then 'sum of absolute contributions of single features; grows with the width of a block'
        end as method_label
    from contributions
    where method in ('net', 'absolute')
)

select * from final

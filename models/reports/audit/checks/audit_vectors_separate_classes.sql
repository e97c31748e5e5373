-- Does one component of an encoder's vectors alone separate the classes of a task on train (AUROC over 0.9)?
-- Grain: one row per task, encoder and component with 10 patients of each class.
with named as (
    select
        found.*,
        found.source || ' ' || found.item as name
    from {{ ref('audit_separations') }} as found
    where found.about = 'vectors'
),

final as (
    select
        cast(null as integer) as stay_id,
        if(is_fault, printf('%s: %s (AUROC %.2f)', task, name, separation), null) as problem,
        false as is_chosen
    from named
)

select * from final

-- Does one column of the marts alone separate the classes of a task on train (AUROC over 0.9)?
-- Grain: one row per task and number or category with 10 patients of each class.
-- A category is named by its md5: column values are patient data.
with named as (
    select
        found.*,
        found.source || ' ' || if(found.by_size, found.item, 'category with md5 ' || left(md5(found.item), 8) || '...') as name
    from {{ ref('audit_separations') }} as found
    where found.about = 'columns'
),

final as (
    select
        cast(null as integer) as stay_id,
        if(is_fault, printf('%s: %s (AUROC %.2f)', task, name, separation), null) as problem,
        false as is_chosen
    from named
)

select * from final

-- Does one component of an encoder's vectors alone separate the classes of a task on train (AUROC over 0.9)?
-- Grain: one row per task, encoder and component with 10 patients of each class.
with patients as (
    {{ train_patients() }}
),

components as (
    select
        patients.task,
        patients.label,
        encoded.encoder as source,
        unnest(encoded.vector) as value,
        generate_subscripts(encoded.vector, 1) as item
    from {{ ref('current_vectors') }} as encoded
    inner join patients
        on encoded.stay_id = patients.stay_id and coalesce(encoded.task, patients.task) = patients.task
),

aurocs as (
    {{ auroc_of_numbers('components') }}
),

named as (
    select
        *,
        -- counted from 0, as in results.coefficients
        source || ' component ' || (item - 1) as name
    from aurocs
),

final as (
    {{ that_separate('named') }}
)

select * from final

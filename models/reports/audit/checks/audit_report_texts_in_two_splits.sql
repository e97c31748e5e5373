-- Is the same report text in two splits? Case and the amount of whitespace are ignored.
-- Grain: one row per stay and report of 500 characters or more.

-- Shorter texts are left out: they are phrases that many patients share, such as those of a normal chest X-ray.
with texts as (
    select
        stay_id,
        lower(trim(regexp_replace(text, '\s+', ' ', 'g'))) as text
    from {{ ref('radiology_reports') }}
),

items as (
    select
        stay_id,
        md5(text) as item
    from texts
    where length(text) >= {{ length_of_a_copy() }}
),

final as (
    {{ shared_by_two_splits('items') }}
)

select * from final

-- Is the same report text in two splits? Letter case and blanks do not count.
-- Grain: one row per stay and report of 400 characters or more.

-- Shorter texts are left out: they are phrases that many patients share, such as those of a normal chest
-- X-ray. Among 69,318 synthetic reports, all of other patients, equal ones have fewer characters.
{%- set shortest_text = 400 %}

with texts as (
    select
        stay_id,
        lower(trim(regexp_replace(text, '\s+', ' ', 'g'))) as text
    from {{ ref('reports') }}
),

items as (
    select
        stay_id,
        md5(text) as item
    from texts
    where length(text) >= {{ shortest_text }}
),

final as (
    {{ shared_by_two_splits('items') }}
)

select * from final

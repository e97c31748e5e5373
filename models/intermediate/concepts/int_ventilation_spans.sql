-- When a patient was ventilated, or breathed with another support: as documented, and as charted. A charted span lasts while
-- the support is the same and fewer than 14 hours lie between two charts. It ends with the next chart of another support,
-- or with its own last one. A support that was charted once is not a span.
-- Rules: MIMIC Code Repository, ventilation. Documented spans are taken as they are, even where charts contradict them.
-- Grain: one row per stay, support, start and evidence.
{{ config(materialized='table', post_hook=[
    "{{ stop_at_rows('select itemid from ' ~ ref('respiratory_items') ~ ' as seed inner join ' ~ ref('stg_mimiciv__d_items') ~ ' as items using (itemid)'
        ~ ' where lower(seed.label) is distinct from lower(items.label)',
        'seeds/concepts/respiratory_items.csv: an itemid has another label in icu/d_items', 'Correct its itemid, or its label.') }}",
]) }}

with charted as (
    select
        *,
        lag(observed_at) over by_time as previous_at,
        lag(support) over by_time as previous_support,
        lead(observed_at) over by_time as next_at
    from {{ ref('int_respiratory_support') }}
    window by_time as (partition by stay_id order by observed_at)
),

numbered as (
    select
        *,
        count(*) filter (
            where support is distinct from previous_support or observed_at >= previous_at + interval 14 hour
        ) over (partition by stay_id order by observed_at) as span
    from charted
),

charted_spans as (
    select
        stay_id,
        any_value(support) as support,
        min(observed_at) as started_at,
        max(if(next_at < observed_at + interval 14 hour, next_at, observed_at)) as ended_at
    from numbered
    group by stay_id, span
    having min(observed_at) < max(observed_at)
),

documented_spans as (
    select
        procedures.stay_id,
        items.means as support,
        procedures.starttime as started_at,
        max(greatest(procedures.starttime, procedures.endtime)) as ended_at
    from {{ ref('stg_mimiciv__procedureevents') }} as procedures
    inner join {{ ref('respiratory_items') }} as items on procedures.itemid = items.itemid
    where items.priority is not null and procedures.stay_id is not null and procedures.starttime is not null
    group by procedures.stay_id, items.means, procedures.starttime
),

final as (
    select
        *,
        'procedure' as evidence
    from documented_spans

    union all

    select
        *,
        'charts' as evidence
    from charted_spans
)

select * from final

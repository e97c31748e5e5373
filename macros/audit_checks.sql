{#- What several checks of the audit (models/reports/audit/checks) share. Each check is rows that were
    looked at: stay_id (null where no stay is to blame), problem (null where there is none; never text of a
    patient) and is_chosen (a setting asks for just this). -#}

{#- Of items, rows of stay_id and item: those whose item is in two splits. -#}
{% macro shared_by_two_splits(items) -%}
    select
        items.stay_id,
        if(
            min(cohort.split) over of_item = max(cohort.split) over of_item,
            null,
            min(cohort.split) over of_item || ' and ' || max(cohort.split) over of_item
        ) as problem,
        -- stays of one patient may lie in two splits, then what they share may too
        (definition.variables ->> 'split_unit') = 'stay'
        and min(cohort.subject_id) over of_item = max(cohort.subject_id) over of_item as is_chosen
    from {{ items }} as items
    inner join {{ ref('cohort') }} as cohort on items.stay_id = cohort.stay_id
    cross join {{ ref('cohort_definition') }} as definition
    window of_item as (partition by items.item)
{%- endmacro %}


{#- Characters, from which on the very same report text is no chance: of 69,288 synthetic reports, all of other
    patients, the longest that is there twice has 436. -#}
{% macro length_of_a_copy() -%}
    500
{%- endmacro %}


{#- A mart of rows with observed_at and available_at: those outside the window, which is computed anew
    from intime and ends with the stay at the latest. -#}
{% macro rows_past_cutoff(mart) -%}
with settings as (
    select
        cast(variables ->> 'window_start_hours' as double) as start_hours,
        cast(variables ->> 'window_end_hours' as double) as end_hours,
        (variables ->> 'availability') = 'observed' as by_observation,
        (variables ->> 'window_closed') = 'left' as closed_left
    from {{ ref('cohort_definition') }}
),

cohort as (
    select
        cohort.stay_id,
        cohort.intime + to_microseconds(cast(settings.start_hours * 3.6e9 as bigint)) as opens_at,
        least(cohort.intime + to_microseconds(cast(settings.end_hours * 3.6e9 as bigint)), cohort.outtime) as closes_at
    from {{ ref('cohort') }} as cohort
    cross join settings
),

final as (
    select
        found.stay_id,
        case
            when cohort.stay_id is null then 'not of the cohort'
            when found.observed_at < cohort.opens_at or (found.observed_at = cohort.opens_at and not settings.closed_left)
                then 'observed before the window'
            when found.observed_at > cohort.closes_at or (found.observed_at = cohort.closes_at and settings.closed_left)
                then 'observed after the window'
            when found.available_at > cohort.closes_at or (found.available_at = cohort.closes_at and settings.closed_left)
                then 'stored after the window'
        end as problem,
        settings.by_observation and problem = 'stored after the window' as is_chosen
    from {{ ref(mart) }} as found
    left join cohort on found.stay_id = cohort.stay_id
    cross join settings
)

select * from final
{%- endmacro %}


{#- Of stays that a fit learned from (fit, may_see, stay_id), with cohort and definition beside them: what
    is wrong with one. -#}
{% macro seen_outside(seen) -%}
case
            when {{ seen }}.stay_id is null then {{ seen }}.fit || ': unknown stays'
            when cohort.stay_id is null then {{ seen }}.fit || ': not of the cohort'
            when not list_contains({{ seen }}.may_see, cohort.split) then {{ seen }}.fit || ': ' || cohort.split
            when definition.split_by_patient and cohort.is_of_test_patient then {{ seen }}.fit || ': patient of test'
        end
{%- endmacro %}

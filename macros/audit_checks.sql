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

{#- Shared by several checks of the audit (models/reports/audit/checks). Each check returns the rows that it
    examined: stay_id (null where no stay is to blame), problem (null where there is none; never patient
    text) and is_chosen (a chosen setting causes the problem). -#}

{#- For items (rows of stay_id and item): every row, with the two splits as its problem where its item is in two. -#}
{% macro shared_by_two_splits(items) -%}
    select
        items.stay_id,
        if(
            min(cohort.split) over of_item = max(cohort.split) over of_item,
            null,
            min(cohort.split) over of_item || ' and ' || max(cohort.split) over of_item
        ) as problem,
        -- if the stays of a patient may be in two splits, so may the items they share
        (definition.variables ->> 'split_unit') = 'stay'
        and min(cohort.subject_id) over of_item = max(cohort.subject_id) over of_item as is_chosen
    from {{ items }} as items
    inner join {{ ref('cohort') }} as cohort on items.stay_id = cohort.stay_id
    cross join {{ ref('cohort_definition') }} as definition
    window of_item as (partition by items.item)
{%- endmacro %}


{#- Length in characters from which identical report texts are not a coincidence: among 69,288 synthetic reports,
    all of different patients, the longest text that occurs twice has 436. -#}
{% macro length_of_a_copy() -%}
    500
{%- endmacro %}


{#- For a row (fit, may_see, stay_id) of a stay that a fit learned from, joined to cohort and definition: what
    is wrong with it. -#}
{% macro seen_outside(seen) -%}
case
            when {{ seen }}.stay_id is null then {{ seen }}.fit || ': unknown stays'
            when cohort.stay_id is null then {{ seen }}.fit || ': not of the cohort'
            when not list_contains({{ seen }}.may_see, cohort.split) then {{ seen }}.fit || ': ' || cohort.split
            when definition.split_by_patient and cohort.is_of_test_patient then {{ seen }}.fit || ': patient of test'
        end
{%- endmacro %}

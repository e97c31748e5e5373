-- Do radiology reports or profiles contain words for an outcome (seeds/outcome_words.csv), which would leak it into
-- the features? A warning only: the words have other meanings, are negated or refer to other people; the seed lists
-- contexts of that kind, which do not count.
-- Grain: one row per report or profile and outcome word in it; one without a problem where there is none.
{%- set words = outcome_words() %}
with texts as (
    select
        stay_id,
        'reports' as source,
        text
    from {{ ref('radiology_reports') }}

    union all

    select
        stay_id,
        'profiles' as source,
        profile as text
    from {{ ref('patient_profiles') }}
),

read_closely as (
    select
        stay_id,
        source,
        if(
            regexp_matches(text, {{ any_of(words | map(attribute='pattern')) }}),
            regexp_replace(text, {{ any_of(words | map(attribute='not_in') | select) }}, '.', 'g'),
            null
        ) as text
    from texts
),

with_words as (
    select
        stay_id,
        source,
        [
            {%- for row in words %}
            if(regexp_matches(text, {{ any_of([row['pattern']]) }}), {{ text_literal(row['word']) }}, null)
            {{- ',' if not loop.last }}
            {%- endfor %}
        ] as words
    from read_closely
),

final as (
    select
        stay_id,
        source || ': ' || unnest(coalesce(nullif(list_filter(words, lambda word: word is not null), []), [null])) as problem,
        false as is_chosen
    from with_words
)

select * from final

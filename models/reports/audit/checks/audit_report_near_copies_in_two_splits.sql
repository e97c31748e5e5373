-- Are long reports of two splits near copies: does the longer contain most runs of 5 words of the shorter? Case, line
-- breaks and punctuation are ignored. Identical texts, if long, are left to report_texts_in_two_splits.
-- A warning only: reports may be alike because of a template or a habit of dictation.
-- Grain: one row per stay and report of 400 characters or more.

-- Reports are compared only if they share two sampled runs: one run in eight is sampled, by its hash, and runs found
-- in more than 50 reports are left out as templates. Each report with such a run is compared with one of each other
-- split, so that many copies make few pairs. Of two copies with 60 runs, the fewest in 400 characters, about one
-- pair in a hundred is missed. Of 35,525 synthetic reports, all of different patients, 10 are alike by chance.
{%- set shortest_text, one_run_in, most_reports, alike = 400, 8, 50, 0.8 %}

with cohort as (
    select * from {{ ref('cohort') }}
),

definition as (
    select (variables ->> 'split_unit') = 'stay' as split_by_stay
    from {{ ref('cohort_definition') }}
),

reports as (
    select
        reports.stay_id,
        cohort.subject_id,
        cohort.split,
        hash(reports.stay_id, reports.note_id) as report,
        reports.text
    from {{ ref('radiology_reports') }} as reports
    inner join cohort on reports.stay_id = cohort.stay_id
    where length(reports.text) >= {{ shortest_text }}
),

runs as (
    select
        report,
        split,
        unnest({{ runs_of_words('words') }}) as run
    from (select report, split, {{ words_of('text') }} as words from reports) as texts_in_words
),

sampled as (
    select distinct
        report,
        split,
        hash(run) as run
    from runs
    where hash(run) % {{ one_run_in }} = 0
),

shared as (
    select
        run,
        min(report) filter (where split = 'train') as in_train,
        min(report) filter (where split = 'validation') as in_validation,
        min(report) filter (where split = 'test') as in_test
    from sampled
    group by run
    having count(*) <= {{ most_reports }} and min(split) < max(split)
),

pairs as (
    select
        report,
        other
    from (
        select
            sampled.report,
            unnest([
                if(sampled.split = 'train', null, shared.in_train),
                if(sampled.split = 'validation', null, shared.in_validation),
                if(sampled.split = 'test', null, shared.in_test)
            ]) as other
        from sampled
        inner join shared on sampled.run = shared.run
    ) as sharing
    where other is not null
    group by report, other
    having count(*) >= 2
),

read_closely as (
    select
        *,
        {{ words_of('text') }} as words,
        list_distinct(list_transform({{ runs_of_words('words') }}, lambda run: hash(run))) as runs,
        lower(trim(regexp_replace(text, '\s+', ' ', 'g'))) as same_text
    from reports
    where report in (select unnest([report, other]) from pairs)
),

copies as (
    select
        one.report,
        other.report as other_report,
        least(one.split, other.split) || ' and ' || greatest(one.split, other.split) as splits,
        one.subject_id = other.subject_id as is_of_one_patient
    from pairs
    inner join read_closely as one on pairs.report = one.report
    inner join read_closely as other on pairs.other = other.report
    where
        len(list_intersect(one.runs, other.runs)) >= {{ alike }} * least(len(one.runs), len(other.runs))
        and (one.same_text != other.same_text or length(one.same_text) < {{ length_of_a_copy() }})
),

-- Both reports of a pair are flagged, even if the second was not compared with the first.
blamed as (
    select
        report,
        min(splits) as splits,
        bool_and(is_of_one_patient) as is_of_one_patient
    from (
        select
            unnest([report, other_report]) as report,
            splits,
            is_of_one_patient
        from copies
    ) as both_of_a_pair
    group by report
),

final as (
    select
        reports.stay_id,
        blamed.splits as problem,
        coalesce(definition.split_by_stay and blamed.is_of_one_patient, false) as is_chosen
    from reports
    cross join definition
    left join blamed on reports.report = blamed.report
)

select * from final

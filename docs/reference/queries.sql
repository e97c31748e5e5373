-- Thirteen ready queries, for the warehouse or its published copy (the second and ninth read the vectors:
-- charthouse publish --embeddings). Paste one into DuckDB, pandas (duckdb.connect(file).sql(query).df())
-- or a BI tool. tests/warehouse/test_queries.py runs every one.

-- 1. Cohort: how many stays and patients does each unit have, and how often are outcomes positive?
select
    cohort.first_careunit,
    count(distinct cohort.stay_id) as stays,
    count(distinct cohort.subject_id) as patients,
    labels.task,
    sum(labels.label) as positive,
    round(avg(labels.label), 3) as share_positive
from marts.cohort
inner join marts.labels on cohort.stay_id = labels.stay_id
group by cohort.first_careunit, labels.task
order by stays desc, cohort.first_careunit asc, labels.task asc;

-- 2. Nearest neighbours: which stays are most like this one, by the vectors of an encoder?
-- The one is the first stay of the test split; put another stay_id in its place.
with one as (
    select
        encoded.stay_id,
        encoded.embedding
    from embeddings.fixed_interval as encoded
    inner join marts.cohort on encoded.stay_id = cohort.stay_id
    where cohort.split = 'test'
    order by encoded.stay_id
    limit 1
)

select
    one.stay_id as of_stay,
    others.stay_id,
    array_cosine_distance(others.embedding, one.embedding) as distance,
    labels.label as died
from embeddings.fixed_interval as others
cross join one
inner join marts.labels on others.stay_id = labels.stay_id and labels.task = 'in_hospital_mortality'
where others.stay_id != one.stay_id
order by distance, others.stay_id
limit 10;

-- 3. Vital signs of a stay: each variable by hour, as models read it, and how much of it was measured.
-- The one is the first stay of the test split; put another stay_id in its place.
select
    stay_id,
    variable,
    count(*) filter (where measured) as hours_measured,
    round(min(value), 1) as lowest,
    round(max(value), 1) as highest,
    list(round(value, 1) order by hour) as by_hour
from marts.vitals_hourly
where stay_id = (select min(stay_id) from marts.cohort where split = 'test' and has_vitals)
group by stay_id, variable
order by variable;

-- 4. Attrition: which rule dropped how many stays and patients?
select
    step,
    criterion,
    stays,
    stays_dropped,
    patients,
    patients_dropped
from marts.cohort_attrition
order by step;

-- 5. Modality coverage: which units have chest X-rays and reports in the window?
select
    first_careunit,
    count(*) as stays,
    round(avg(cast(has_vitals as integer)), 3) as with_vitals,
    round(avg(cast(has_image as integer)), 3) as with_image,
    round(avg(cast(has_text as integer)), 3) as with_text,
    round(avg(cast(has_vitals and has_image and has_text as integer)), 3) as with_all
from marts.cohort
group by first_careunit
order by stays desc, first_careunit asc;

-- 6. Leaderboard: how good is each arm on all test stays, beside the paper's figures?
select
    task,
    arm,
    fusion,
    n,
    n_positive,
    auroc,
    published_auroc,
    auprc,
    published_auprc
from reports.leaderboard
where population = 'all' and run_id is not null
order by task asc, auroc_value desc;

-- 7. Comparisons: which differences of AUROC, the primary metric, are significant after Holm correction?
-- None on small cohorts: then raise 0.05 to see which come nearest. All other metrics are exploratory: they have
-- a p_value at most, uncorrected, and settle nothing.
select
    task,
    question,
    arm,
    other_arm,
    population,
    metric,
    is_primary,
    difference,
    ci_low,
    ci_high,
    p_adjusted,
    n_asked
from reports.comparisons
where is_primary and p_adjusted < 0.05
order by task, p_adjusted, question, arm, other_arm, metric;

-- 8. Misses: which negatives have the highest scores, which positives the lowest?
-- Of the arm that is best on validation.
with best as (
    select
        task,
        arm,
        run_id
    from reports.arms
    qualify row_number() over (partition by task order by validation_auroc desc nulls last, arm asc) = 1
),

ranked as (
    select
        best.task,
        best.arm,
        predictions.stay_id,
        predictions.y_true,
        predictions.y_score,
        row_number() over (
            partition by best.task, predictions.y_true
            order by if(predictions.y_true = 1, predictions.y_score, -predictions.y_score), predictions.stay_id
        ) as place
    from results.predictions
    inner join best on predictions.run_id = best.run_id
    where predictions.split = 'test'
)

select
    ranked.task,
    if(ranked.y_true = 1, 'positive, low score', 'negative, high score') as miss,
    ranked.place,
    ranked.stay_id,
    ranked.y_score,
    cohort.age,
    cohort.gender,
    cohort.first_careunit,
    cohort.los_days,
    cohort.has_image,
    cohort.has_text,
    ranked.arm
from ranked
inner join marts.cohort on ranked.stay_id = cohort.stay_id
where ranked.place <= 10
order by ranked.task, miss, ranked.place;

-- 9. Provenance: which runs, code and vectors does a cell of the leaderboard rest on?
select
    leaderboard.task,
    leaderboard.arm,
    leaderboard.auroc,
    leaderboard.run_id,
    runs.code_version,
    runs.seed,
    leaderboard.evaluation_run_id,
    inputs.encoder,
    inputs.input_run_id as encoder_run_id,
    makers.revision as weights_revision,
    makers.fingerprint as weights,
    inputs.stays as stays_read,
    inputs.content_hash as vectors_hash
from reports.leaderboard
inner join results.runs on leaderboard.run_id = runs.run_id
inner join results.run_inputs as inputs on leaderboard.run_id = inputs.run_id
left join results.runs as makers on inputs.input_run_id = makers.run_id
where leaderboard.population = 'all'
order by leaderboard.task asc, leaderboard.auroc desc, leaderboard.run_id asc, inputs.encoder asc, encoder_run_id asc;

-- 10. Encoders: what is each, how many stays has it encoded, and how many could it not?
select
    encoder,
    task,
    modality,
    foundation_model,
    state,
    stays,
    encoded,
    skipped,
    round(encoded / stays, 3) as share_encoded,
    last_run_id
from reports.encoders
order by modality, encoder, task;

-- 11. Contamination: which differences stand between models of which none was trained on MIMIC before?
-- 'unknown' is no 'no': leave it out too, or ask for != 'yes'.
select
    task,
    question,
    arm,
    other_arm,
    difference,
    ci_low,
    ci_high,
    p_adjusted
from reports.comparisons
where saw_mimic = 'no' and other_saw_mimic = 'no' and metric = 'auroc' and population = 'all'
order by task, question, arm, other_arm;

-- 12. Eras: how many stays have an X-ray, by the years in which they may lie?
-- MIMIC-CXR covers 2011 to 2016: elsewhere "no X-ray" says nothing of the patient.
select
    era_from,
    era_to,
    in_mimic_cxr_years,
    count(*) as stays,
    round(avg(cast(has_image as integer)), 3) as share_with_image,
    count(*) filter (where split = 'test') as test_stays
from marts.cohort
group by era_from, era_to, in_mimic_cxr_years
order by era_from, era_to;

-- 13. Laboratory values and medications: each stay's mean lactate, and its highest hour of vasopressors. What is it in?
-- By the grid, since several drugs that run at once are rows of their own in marts.medications_events.
with lactate as (
    select
        stay_id,
        avg(value) as mean_lactate
    from marts.labs_events
    where variable = 'lactate'
    group by stay_id
),

vasopressors as (
    select
        stay_id,
        max(value) as highest_vasopressors
    from marts.medications_hourly
    where variable = 'vasopressors'
    group by stay_id
)

select
    cohort.stay_id,
    round(lactate.mean_lactate, 2) as mean_lactate,
    of_lactate.unit as lactate_unit,
    round(vasopressors.highest_vasopressors, 3) as highest_vasopressors,
    of_vasopressors.unit as vasopressors_unit
from marts.cohort
left join lactate on cohort.stay_id = lactate.stay_id
left join vasopressors on cohort.stay_id = vasopressors.stay_id
left join marts.time_series_variables as of_lactate on of_lactate.variable = 'lactate'
left join marts.time_series_variables as of_vasopressors on of_vasopressors.variable = 'vasopressors'
order by cohort.stay_id;

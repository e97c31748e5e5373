"""What `charthouse audit` computes again: what was changed by hand is found in just its stays."""

import json
import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import duckdb
import numpy as np
import pytest

from bench import PROJECT, Bench
from charthouse.core.cohort import read_cohort
from charthouse.core.errors import CharthouseError
from charthouse.core.progress import ProgressCallback
from charthouse.core.warehouse import open_warehouse
from charthouse.jobs.audit import evaluation, metrics, scores, vectors
from charthouse.jobs.audit.findings import Finding
from charthouse.jobs.audit.run import print_checks
from charthouse.jobs.audit.scratch_folder import scratch_folder
from charthouse.jobs.embed.store import vector_hash

TASK = "in_hospital_mortality"
ARM = "structured[demographics]+text[tfidf_svd]"
FUSIONS = ("concatenate_presence", "late", "gated")
RUN = f"select run_id from results.runs where name = '{ARM} by {{}}' and task = '{TASK}'"


@pytest.fixture(scope="module")
def evaluated(built: Bench, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """One arm by three fusions, evaluated; read only."""
    folder = tmp_path_factory.mktemp("evaluated")
    shutil.copy(built.warehouse, folder / "warehouse.duckdb")
    bench = Bench(built.raw, folder / "warehouse.duckdb", folder)
    fusions = (word for name in FUSIONS for word in ("--fusion", name))
    for command in (
        ("embed", "--encoder", "demographics", "--encoder", "tfidf_svd"),
        ("predict", "--arm", ARM, "--task", TASK, *fusions),
        ("evaluate", "--task", TASK, "--bootstraps", "20"),
    ):
        done = bench.charthouse(*command)
        assert done.returncode == 0, done.stderr
    return bench


@pytest.fixture
def own(evaluated: Bench, tmp_path: Path) -> Bench:
    """A copy of it, for a test to spoil."""
    shutil.copy(evaluated.warehouse, tmp_path / "warehouse.duckdb")
    return Bench(evaluated.raw, tmp_path / "warehouse.duckdb", tmp_path)


def change(bench: Bench, statement: str, *parameters: object) -> None:
    with duckdb.connect(str(bench.warehouse)) as db:
        changed = db.execute(statement, list(parameters)).fetchall()[0][0]
    assert changed > 0, f"nothing was changed: {statement}"


def stay_of(bench: Bench, split: str, having: str = "true", nth: int = 0) -> int:
    found = bench.sql(
        f"select stay_id from marts.cohort where split = '{split}' and {having} order by 1"
    )
    return int(found[nth][0])


# The marts, replayed


def test_what_the_models_do_not_give_is_found_in_just_its_stays(own: Bench) -> None:
    stays = [
        stay_of(own, "train", "has_vitals and has_text and has_image", nth) for nth in range(8)
    ]
    split, label, event, doubled, grid, text, gone, image = stays
    first = f"hours = (select min(hours) from marts.vitals_events where stay_id = {event})"
    change(own, "update marts.cohort set split = 'test' where stay_id = ?", split)
    # in the labels and in the predictions: neither contradicts the other
    change(own, "update marts.labels set label = 1 - label where stay_id = ? and task = ?",
           label, TASK)  # fmt: skip
    change(own, "update results.predictions set y_true = 1 - y_true where stay_id = ?", label)
    change(own, "update marts.vitals_events set value = value + 1e-6 where stay_id = ?"
                f" and {first}", event)  # fmt: skip
    change(own, "insert into marts.vitals_events from marts.vitals_events where stay_id = ?"
                " limit 1", doubled)  # fmt: skip
    change(own, "update marts.vitals_hourly set value = value * (1 + 1e-7) where stay_id = ?"
                " and hour = 5 and variable = 'heart_rate'", grid)  # fmt: skip
    change(own, "update marts.vitals_events set value = 'nan' where stay_id = ?"
                " and variable = 'heart_rate'", gone)  # fmt: skip
    change(own, "update marts.cohort set los_days = 'inf' where stay_id = ?", image)
    # as another order of a sum would change it
    change(own, "update marts.vitals_hourly set value = value * (1 + 1e-15) where stay_id = ?"
                " and hour = 5", text)  # fmt: skip
    change(own, "update marts.patient_profiles set profile = profile || ' Smoker.'"
                " where stay_id = ?", text)  # fmt: skip
    change(own, "delete from marts.radiology_reports where stay_id = ?", gone)
    change(own, "update marts.chest_xrays set available_at = observed_at + interval 1 second"
                " where stay_id = ?", image)  # fmt: skip
    change(own, "update intermediate.int_stays set died_at = outtime where stay_id = ?", image)
    change(own, "update marts.cohort_attrition set stays = stays + 1 where step = 0")
    with duckdb.connect(str(own.warehouse)) as db:
        db.execute("comment on table marts.labels is 'Labels.\n\nMade by query 123.'")
    done = own.charthouse("audit")
    assert done.returncode == 1, done.stderr
    assert "The project's SQL is not that of the build (marts.labels)" in done.stdout
    assert not Path(f"{own.warehouse}.audit").exists()
    found = own.sql(
        "select check_name, stay_ids, detail from reports.audit where state = 'failed'"
        " and check_name like '%not\\_as\\_replayed' escape '\\'"
    )
    assert {check.removesuffix("_not_as_replayed"): (ids, what) for check, ids, what in found} == {
        "cohort": (sorted([split, image]), "marts.cohort: split, los_days"),
        "labels": ([label], "marts.labels: label"),
        "modalities": (
            sorted({event, doubled, gone, grid, image}),
            "marts.chest_xrays: available_at; marts.radiology_reports: rows missing;"
            " marts.vitals_events: rows that should not be there, value;"
            " marts.vitals_hourly: value",
        ),
        "profiles": ([text], "marts.patient_profiles: profile"),
        "stays": ([image], "intermediate.int_stays: died_at"),
        "summaries": (None, "marts.cohort_attrition: stays"),
    }  # fmt: skip


def test_on_what_nobody_changed_every_check_passes_until_the_next_build(own: Bench) -> None:
    done = own.charthouse("audit")
    assert done.returncode == 0, done.stdout
    states = dict(own.sql("select check_name, state from reports.audit"))
    assert {name for name, state in states.items() if state == "nothing to check"} == {
        "answers_outside_test", "shots_outside_train", "image_vectors_in_two_splits",
    }  # fmt: skip
    assert states.pop(evaluation.CHECK) == "not run"  # it was not asked for
    assert set(states.values()) <= {"passed", "warning", "nothing to check"}
    again = own.sql("select check_name from reports.audit where checked_at is not null")
    assert {name for (name,) in again} >= {"labels_not_as_replayed", "vectors_not_as_read"}
    change(own, "update marts.cohort_definition set built_at = now() at time zone 'UTC'")
    lines: list[str] = []
    assert print_checks(own.warehouse, lines.append) == 0
    assert lines[-1].endswith(f", {len(again) + 1} not run.")


def test_settings_that_nobody_could_have_built_with_fail(own: Bench) -> None:
    change(own, "update marts.cohort_definition set variables = json_merge_patch(variables, ?)",
           json.dumps({"celsius": "kelvin"}))  # fmt: skip
    done = own.charthouse("audit")
    assert done.returncode == 1
    assert "celsius: 'kelvin' is none of convert, drop" in done.stdout
    assert "1 FAILED" in done.stdout and "6 not run" in done.stdout


def test_two_audits_at_a_time_are_one_and_what_a_killed_one_left_goes(tmp_path: Path) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    left = tmp_path / "warehouse.duckdb.audit/target/left"
    left.mkdir(parents=True)
    with scratch_folder(warehouse) as folder:
        assert not list(folder.iterdir())
        assert folder.stat().st_mode & 0o777 == 0o700
        with (
            pytest.raises(CharthouseError, match="another audit is running"),
            scratch_folder(warehouse),
        ):
            pass
        (folder / "replay.duckdb").touch()
    assert os.listdir(tmp_path) == []


# Scores, vectors, metrics


def again(bench: Bench, check: Callable[..., Finding | list[Finding]]) -> dict[str, Finding]:
    with open_warehouse(bench.warehouse) as db:
        cohort = read_cohort(db)
        made = check(db) if check is vectors.rehash_vectors else check(db, PROJECT, cohort)
    return {each.check: each for each in (made if isinstance(made, list) else [made])}


def test_scores_that_nobody_changed_are_those_of_the_coefficients(evaluated: Bench) -> None:
    held_out = evaluated.one("select count(*) from marts.cohort where split != 'train'")
    # gated keeps none
    assert again(evaluated, scores.recompute_scores)[scores.CHECK] == Finding(
        scores.CHECK, 2 * held_out
    )


@pytest.mark.parametrize("fusion", ["concatenate_presence", "late"])
def test_a_score_that_its_coefficients_do_not_give_is_found(own: Bench, fusion: str) -> None:
    stay = stay_of(own, "test")
    change(own, "update results.predictions set y_score = y_score + 1e-6 where stay_id = ?"
                f" and run_id = ({RUN.format(fusion)})", stay)  # fmt: skip
    found = again(own, scores.recompute_scores)[scores.CHECK]
    assert (found.failed, found.stay_ids) == (1, (stay,))
    assert found.detail == f"{TASK} {ARM} by {fusion}"


def test_two_scores_that_changed_places_are_found(own: Bench) -> None:
    stays = (stay_of(own, "test"), stay_of(own, "test", nth=1))
    run = RUN.format("late")
    change(own, "update results.predictions as one set y_score = other.y_score"
                " from results.predictions as other where one.run_id = other.run_id"
                f" and one.run_id = ({run}) and one.stay_id in (select unnest($1))"
                " and other.stay_id in (select unnest($1)) and one.stay_id != other.stay_id",
           list(stays))  # fmt: skip
    assert again(own, scores.recompute_scores)[scores.CHECK].stay_ids == stays


def test_a_coefficient_that_was_changed_or_taken_away_is_found(own: Bench) -> None:
    run = RUN.format("concatenate_presence")
    held_out = own.one("select count(*) from marts.cohort where split != 'train'")
    change(own, f"update results.coefficients set coefficient = coefficient + 0.1"
                f" where run_id = ({run}) and feature like '%age%'")  # fmt: skip
    assert len(again(own, scores.recompute_scores)[scores.CHECK].stay_ids) == held_out
    change(own, f"delete from results.coefficients where run_id = ({run}) and position = 0")
    found = again(own, scores.recompute_scores)[scores.CHECK]
    assert found.failed and found.detail == f"{TASK} {ARM} by concatenate_presence: coefficients" \
                                            " of other vectors"  # fmt: skip


@pytest.mark.parametrize(("fusion", "split"), [("gated", "test"), ("late", "train")])
def test_a_score_that_no_coefficients_give_is_missed_by_the_hash_of_its_run(
    own: Bench, fusion: str, split: str
) -> None:
    check = "select state, detail from reports.audit where check_name = 'predictions_changed_since'"
    assert own.sql(check) == [("passed", None)]
    change(own, "update results.predictions set y_score = y_score + 1e-6 where stay_id = ?"
                f" and run_id = ({RUN.format(fusion)})", stay_of(own, split))  # fmt: skip
    assert own.sql(check) == [("failed", f"{TASK} {ARM} by {fusion}")]


def one_number(stay: int) -> str:
    return (
        "update embeddings.tfidf_svd set embedding = list_transform(embedding::float[],"
        f" lambda x, i: if(i = 3, x * 1.000001::float, x)) where stay_id = {stay}"
    )


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_number_of_a_vector_that_was_changed_is_found(own: Bench, split: str) -> None:
    assert {each.failed for each in again(own, vectors.rehash_vectors).values()} == {0}
    stay = stay_of(own, split, "has_text")
    change(own, one_number(stay))
    found = again(own, vectors.rehash_vectors)
    assert found[vectors.WRITTEN].stay_ids == (stay,)
    assert found[vectors.WRITTEN].detail == "tfidf_svd"
    assert found[vectors.READ].failed == len(FUSIONS)
    change(own, f"update embeddings.tfidf_svd set written_hash = null where stay_id = {stay}")
    assert again(own, vectors.rehash_vectors)[vectors.WRITTEN].stay_ids == (stay,)
    # with a hash that fits, its arms alone have read another
    now = own.one(f"select embedding from embeddings.tfidf_svd where stay_id = {stay}")
    change(own, f"update embeddings.tfidf_svd set written_hash = '{vector_hash(np.float32(now))}'"
                f" where stay_id = {stay}")  # fmt: skip
    found = again(own, vectors.rehash_vectors)
    assert (found[vectors.WRITTEN].failed, found[vectors.READ].failed) == (0, len(FUSIONS))


def test_a_hash_that_was_wiped_is_no_proof(own: Bench) -> None:
    before = again(own, vectors.rehash_vectors)
    change(own, "update results.run_inputs set vectors_hash = null")
    change(own, "update embeddings.tfidf_svd set written_hash = null")
    found = again(own, vectors.rehash_vectors)
    ((wiped,),) = own.sql("select count(*) from embeddings.tfidf_svd where reads is not null")
    assert (found[vectors.WRITTEN].checked, found[vectors.WRITTEN].failed) == (
        before[vectors.WRITTEN].checked, wiped,
    )  # fmt: skip
    assert found[vectors.READ].failed == found[vectors.READ].checked > 0


@pytest.mark.parametrize(
    ("table", "where", "detail"),
    [
        ("metrics", "split = 'test' and population = 'all' and metric = 'auroc'",
         "test all auroc (value)"),
        ("metrics", "split = 'validation' and population = 'all' and metric = 'brier'",
         "validation all brier (value)"),
        ("subgroup_metrics", "attribute = 'gender' and subgroup = 'F' and metric = 'accuracy'",
         "test all gender F accuracy (value)"),
    ],
)  # fmt: skip
def test_a_metric_that_its_predictions_do_not_give_is_found(
    own: Bench, table: str, where: str, detail: str
) -> None:
    clean = again(own, metrics.recompute_metrics)[metrics.CHECK]
    assert clean.checked > 100 and clean.failed == 0
    of_late = f"run_id = ({RUN.format('late')}) and {where}"
    change(own, f"update results.{table} set value = value + 1e-6 where {of_late}")
    found = again(own, metrics.recompute_metrics)[metrics.CHECK]
    assert (found.failed, found.detail) == (1, f"{TASK} {ARM} by late: {detail}")
    change(own, f"delete from results.{table} where {of_late}")
    found = again(own, metrics.recompute_metrics)[metrics.CHECK]
    assert found.detail == f"{TASK} {ARM} by late: {detail.replace('(value)', 'missing')}"


def test_a_metric_that_is_there_twice_or_bears_another_name_is_found(own: Bench) -> None:
    one = f"from results.metrics where run_id = ({RUN.format('late')}) and split = 'test'" \
          " and population = 'all' and metric = 'auroc'"  # fmt: skip
    change(own, f"insert into results.metrics select * replace (0.99 as value) {one}")
    found = again(own, metrics.recompute_metrics)[metrics.CHECK]
    assert "test all auroc should not be there twice" in str(found.detail)
    change(own, f"delete {one} and value = 0.99")
    change(
        own, f"update results.metrics set fusion = 'gated' where run_id = ({RUN.format('late')})"
    )
    found = again(own, metrics.recompute_metrics)[metrics.CHECK]
    assert "test all auroc (fusion)" in str(found.detail)


def test_a_zero_that_became_null_is_found(own: Bench) -> None:
    zero = f"run_id = ({RUN.format('late')}) and value = 0"
    ((n,),) = own.sql(f"select count(*) from results.metrics where {zero}")
    assert n > 0
    change(own, f"update results.metrics set value = null where {zero}")
    assert again(own, metrics.recompute_metrics)[metrics.CHECK].failed == n


def test_an_arm_whose_metrics_are_gone_is_found(own: Bench) -> None:
    change(own, f"delete from results.metrics where run_id = ({RUN.format('late')})")
    found = again(own, metrics.recompute_metrics)[metrics.CHECK]
    assert found.detail == f"{TASK} {ARM} by late: no metrics of its evaluation"
    change(own, "delete from results.runs where kind = 'evaluate'")
    found = again(own, metrics.recompute_metrics)[metrics.CHECK]
    assert found.failed == len(FUSIONS) - 1 and "of an unknown evaluation" in str(found.detail)


def test_metrics_that_are_all_gone_are_found(own: Bench) -> None:
    change(own, "delete from results.metrics")
    assert again(own, metrics.recompute_metrics)[metrics.CHECK].failed == len(FUSIONS)


def test_operating_points_of_the_evaluation_are_those_that_are_computed_again(own: Bench) -> None:
    change(own, "update marts.cohort_definition set variables ="
                " json_merge_patch(variables, '{\"alert_rate\": 0.25}')")  # fmt: skip
    done = own.charthouse("evaluate", "--task", TASK, "--bootstraps", "20")
    assert done.returncode == 0, done.stderr
    assert again(own, metrics.recompute_metrics)[metrics.CHECK].failed == 0


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        ("delete from results.fits where", "no fit"),
        ("update results.runs set settings = json_merge_patch(settings,"
         " '{\"fusion_version\": 99}') where", "fitted by another version of the fusion"),
    ],
)  # fmt: skip
def test_scores_that_cannot_be_computed_again_do_not_pass(own: Bench, spoil: str, why: str) -> None:
    change(own, f"{spoil} run_id = ({RUN.format('late')})")
    found = again(own, scores.recompute_scores)[scores.CHECK]
    assert (found.failed, found.detail) == (1, f"{TASK} {ARM} by late: {why}")


def test_predictions_that_bear_another_name_or_lost_their_hash_are_found(own: Bench) -> None:
    of_late = f"where run_id = ({RUN.format('late')})"
    change(own, f"update results.predictions set arm = 'presence' {of_late}")
    change(own, f"update results.runs set counts = '{{}}', is_synthetic = false {of_late}")
    failed = dict(own.sql("select check_name, detail from reports.audit where state = 'failed'"))
    label = f"{TASK} {ARM} by late"
    assert failed["predictions_of_another_outcome"] == f"{label}: named as of another arm"
    assert failed["predictions_changed_since"] == label
    assert failed["predictions_of_another_cohort"] == f"{label}: its run says of other data"


def test_what_stops_a_check_is_a_finding_without_what_stands_in_it(own: Bench) -> None:
    """No traceback, and none of the other checks is lost."""
    with duckdb.connect(str(own.warehouse)) as db:
        db.execute("alter table embeddings.tfidf_svd alter embedding type float[]")
        db.execute("update results.predictions set y_score = 'nan' where split = 'test'")
        db.execute("update results.runs set settings = '[1]' where kind = 'evaluate'")
    done = own.charthouse("audit")
    assert done.returncode == 1 and not done.stderr, done.stderr
    found = dict(own.sql("select check_name, state from reports.audit"))
    assert {found[check] for check in (scores.CHECK, metrics.CHECK)} == {"failed"}
    assert found["labels_not_as_replayed"] == "passed"
    assert "cannot be computed again: " in done.stdout


# The evaluation (--full)


def evaluated_again(bench: Bench, said: list[str] | None = None) -> Finding:
    def watch(label: str, total: int) -> AbstractContextManager[ProgressCallback]:
        return nullcontext(lambda done, total: None)

    with open_warehouse(bench.warehouse) as db:
        cohort = read_cohort(db)
    say = (said if said is not None else []).append
    return evaluation.recompute_evaluation(PROJECT, bench.warehouse, cohort, say, watch)


OF_ONE = f"run_id = ({RUN.format('late')})"
A_METRIC = f"{OF_ONE} and split = 'test' and population = 'all' and metric = 'auroc'"
A_COMPARISON = f"{A_METRIC} and other_fusion = 'concatenate_presence'"
A_POINT = f"{OF_ONE} and curve = 'roc' and x = 0.5"


@pytest.mark.parametrize(
    ("statement", "detail"),
    [
        (f"update results.metrics set ci_low = coalesce(ci_low, 0) - 1e-6 where {A_METRIC}",
         "metrics: {} test all auroc (ci_low)"),
        (f"update results.metrics set value = 'nan' where {A_METRIC}",
         "metrics: {} test all auroc (value)"),
        (f"update results.comparisons set p_value = 0.01 where {A_COMPARISON}",
         "comparisons: {} test all fusion {other} auroc (p_value)"),
        (f"update results.comparisons set difference = -difference where {A_COMPARISON}",
         "comparisons: {} test all fusion {other} auroc (difference)"),
        (f"update results.comparisons set reason = null where reason is not null and {OF_ONE}"
         " and population = 'all' and metric = 'accuracy'",
         "comparisons: {} test all fusion {other} accuracy (reason)"),
        (f"delete from results.comparisons where {A_COMPARISON}",
         "comparisons: {} test all fusion {other} auroc missing"),
        (f"insert into results.comparisons from results.comparisons where {A_COMPARISON}",
         "comparisons: {} test all fusion {other} auroc should not be there"),
        (f"update results.curves set y = y + 1e-6 where {A_POINT}",
         "curves: {} test all roc 0.5 (y)"),
        (f"delete from results.curves where {A_POINT}", "curves: {} test all roc 0.5 missing"),
        (f"update results.fairness set worst_group = 'nobody' where {OF_ONE}"
         " and attribute = 'gender' and metric = (select min(metric) from results.fairness)",
         "fairness: {} test all gender {measure} (worst_group)"),
    ],
)  # fmt: skip
def test_a_row_that_the_evaluation_does_not_give_is_found(
    own: Bench, statement: str, detail: str
) -> None:
    change(own, statement)
    found = evaluated_again(own)
    words = detail.format(
        f"{TASK} {ARM} late",
        other=f"{ARM} concatenate_presence",
        measure=own.one("select min(metric) from results.fairness"),
    )
    assert (found.failed, found.detail) == (1, words)


def test_a_share_of_a_modality_that_was_changed_is_found(own: Bench) -> None:
    change(own, "update results.contributions set share = share + 1e-6 where population = 'all'"
                " and method = 'net' and modality = 'text'"
                f" and run_id = ({RUN.format('concatenate_presence')})")  # fmt: skip
    found = evaluated_again(own)
    assert found.failed == 1 and found.detail and found.detail.endswith("net text (share)")


def test_an_evaluation_that_nobody_changed_is_given_again_whatever_the_threads(
    evaluated: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = evaluated.warehouse.read_bytes()
    rows = sum(
        evaluated.one(f"select count(*) from results.{table}")
        for table in ("metrics", "subgroup_metrics", "fairness", "contributions", "curves",
                      "comparisons")
    )  # fmt: skip
    for threads in ("1", "4"):
        monkeypatch.setenv("CHARTHOUSE_THREADS", threads)
        assert evaluated_again(evaluated) == Finding(evaluation.CHECK, rows)
    assert evaluated.warehouse.read_bytes() == before


def test_every_column_of_the_results_is_a_statistic_or_says_what_it_is_of(evaluated: Bench) -> None:
    found = evaluated.sql(
        "select distinct column_name from duckdb_columns() where schema_name = 'results'"
        " and data_type not like 'VARCHAR' and table_name in ('metrics', 'subgroup_metrics',"
        " 'fairness', 'contributions', 'curves', 'comparisons') or (schema_name = 'results'"
        " and table_name like 'learner\\_%' escape '\\' and data_type not like 'VARCHAR')"
    )
    assert {name for (name,) in found} - evaluation.STATISTICS == {"x"}


def test_an_evaluation_of_other_scores_is_nothing_to_check(own: Bench) -> None:
    nothing = Finding(evaluation.CHECK, 0)
    change(own, "update results.runs set finished_at = null where name = ?", f"{ARM} by late")
    said: list[str] = []
    assert evaluated_again(own, said) == nothing
    assert said == [
        f"{TASK}: other arms or answers than were evaluated, or other shapley_groups. Run"
        " charthouse evaluate, then audit again."
    ]


def test_the_command_finds_it_with_full_alone_and_leaves_the_results(own: Bench) -> None:
    change(own, f"update results.comparisons set p_value = 0.01 where {A_COMPARISON}")
    state = f"select state from reports.audit where check_name = '{evaluation.CHECK}'"
    kept = own.sql("from results.comparisons order by all")
    done = own.charthouse("audit", "--full")
    assert done.returncode == 1 and "1 FAILED" in done.stdout
    assert "(p_value)" in done.stdout
    assert own.sql(state) == [("failed",)]
    assert own.sql("from results.comparisons order by all") == kept

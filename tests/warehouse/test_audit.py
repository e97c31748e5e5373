"""The audit: a clean warehouse passes; each leak, planted by hand, is found in just its stays."""

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from bench import PROJECT, UNTESTED, Bench
from charthouse.core.cohort import read_cohort
from charthouse.core.errors import CharthouseError
from charthouse.core.registry import seed_rows
from charthouse.core.runs import Run
from charthouse.core.warehouse import open_warehouse
from charthouse.jobs.audit.run import audit, print_checks
from charthouse.jobs.embed import store
from charthouse.jobs.embed.store import Target
from charthouse.models.encoders.base import Encoded
from charthouse.models.encoders.registry import encoder_specs

CHECKS = PROJECT / "models/reports/audit/checks"
SPECS = encoder_specs(PROJECT)
TASK = "in_hospital_mortality"
PREDICT = "predict-1"
OF_LEARNERS = {"answers_outside_test", "shots_outside_train"}
"""Checks whose leaks tests/warehouse/test_evaluate_learners.py plants; here nobody was asked."""
OF_FEATURES = {
    "columns_separate_classes", "words_separate_classes", "vectors_separate_classes",
    "outcome_words", "report_near_copies_in_two_splits", "vitals_under_two_patients",
}  # fmt: skip
"""Checks whose leaks tests/warehouse/test_audit_features.py plants."""
PLANTED_BY_THEMSELVES = {"patients_in_two_splits", "predictions_changed_since"}
FILES = {path.stem.removeprefix("audit_") for path in CHECKS.glob("*.sql")}
COMPUTED_AGAIN = {row["check_name"] for _, row in seed_rows(PROJECT, "audit_checks")} - FILES
"""Checks that only `charthouse audit` runs: tests/warehouse/test_audit_again.py."""
ONE_CHECK = "select state, stays, stay_ids, detail from reports.audit where check_name = '{}'"


@pytest.fixture(scope="module")
def scored(built: Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built warehouse with embeddings and an arm fitted on them, all as it should be."""
    path = tmp_path_factory.mktemp("scored") / "warehouse.duckdb"
    shutil.copy(built.warehouse, path)
    with open_warehouse(path, read_only=False) as db:
        _embed(db, "pixel_pca", fit_hash="of-pixels")
        _embed(db, "swin", fit_hash=None)
        _embed(db, "moment", fit_hash=None, stays_that="has_vitals")  # enough of each class
        _predict(db)
    return path


@pytest.fixture
def clean(scored: Path, built: Bench, tmp_path: Path) -> Bench:
    """A copy of it, for a test to spoil."""
    shutil.copy(scored, tmp_path / "warehouse.duckdb")
    return Bench(built.raw, tmp_path / "warehouse.duckdb", tmp_path)


@pytest.fixture
def unscored(built: Bench, tmp_path: Path) -> Bench:
    """A copy of the marts alone: other splits or labels would leave results of another cohort."""
    shutil.copy(built.warehouse, tmp_path / "warehouse.duckdb")
    return Bench(built.raw, tmp_path / "warehouse.duckdb", tmp_path)


def _embed(
    db: duckdb.DuckDBPyConnection,
    encoder: str,
    fit_hash: str | None,
    task: str | None = None,
    splits: tuple[str, ...] = ("train",),
    stays_that: str = "has_image",
) -> None:
    cohort, run_id, target = read_cohort(db), f"embed-{encoder}", Target(encoder, task)
    run = _start(db, run_id, "embed", encoder, task, {"fit_hash": fit_hash})
    found = db.execute(f"select stay_id from marts.cohort where {stays_that} order by 1").fetchall()
    stays = [stay for (stay,) in found]
    vectors = np.random.default_rng(len(encoder)).normal(size=(len(stays), 4)).astype(np.float32)
    store.append(
        db, target, Encoded(np.array(stays), vectors, []), {stay: f"of {stay}" for stay in stays},
        reads=cohort.reads(SPECS[encoder].part), run_id=run_id,
    )  # fmt: skip
    if fit_hash:
        seen = [stay for stay in stays if cohort.stays[stay][1] in splits]
        store.keep_learned(db, target, fit_hash, {"mean": np.zeros(4)}, seen, run_id)
    run.finish(db)


def _predict(db: duckdb.DuckDBPyConnection) -> None:
    fit_splits = read_cohort(db).variables["fit_splits"]
    arm = {"arm": "image[pixel_pca]", "fusion": "concatenate", "fit_splits": fit_splits}
    run = _start(db, PREDICT, "predict", "image[pixel_pca] by concatenate", TASK, arm)
    db.execute(
        "insert into results.predictions select ?, task, ?, ?, stay_id, split, label, 0.5,"
        " split in (select unnest(?::varchar[]))"
        " from marts.cohort inner join marts.labels using (stay_id) where task = ?",
        [PREDICT, arm["arm"], arm["fusion"], fit_splits, TASK],
    )
    db.execute(
        "insert into results.fits (run_id, component, converged, iterations, features, candidates,"
        " fitted_on) select ?, 'model', true, 9, 4, '[]', list(stay_id) from marts.cohort"
        " where split in (select unnest(?::varchar[]))",
        [PREDICT, fit_splits],
    )
    db.execute(
        "insert into results.run_inputs select ?, encoder, task, run_id, count(*),"
        " md5(string_agg(stay_id || ':' || input_hash, ',' order by stay_id)), null"
        " from embeddings.encoded where encoder = 'pixel_pca' group by all",
        [PREDICT],
    )
    run.finish(db)


def _start(
    db: duckdb.DuckDBPyConnection,
    run_id: str,
    kind: str,
    name: str,
    task: str | None,
    settings: Mapping[str, object],
) -> Run:
    run = Run(
        warehouse=Path(), cohort=read_cohort(db), run_id=run_id, kind=kind, name=name, task=task,
        settings=settings,
    )  # fmt: skip
    run.start(db)
    return run


class Plant:
    """The warehouse, open for a leak."""

    def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
        self.db = db

    def run(self, query: str, *parameters: object) -> None:
        changed = self.db.execute(query, list(parameters)).fetchall()[0][0]
        assert changed > 0, f"nothing was planted: {query}"

    def stays(self, query: str) -> list[int]:
        found = [row[0] for row in self.db.execute(query).fetchall()]
        assert found, f"no stay to plant in: {query}"
        return found

    def stay(self, split: str, having: str = "true") -> int:
        return self.stays(
            f"from marts.cohort select stay_id where split = '{split}' and {having} order by 1"
        )[0]


def patient_in_two_splits(plant: Plant) -> list[int]:
    stays = plant.stays(
        "select unnest(stays) from (select list(stay_id order by stay_id) as stays"
        " from marts.cohort where split = 'test' group by subject_id having count(*) > 1"
        " order by all limit 1)"
    )
    plant.run("update marts.cohort set split = 'validation' where stay_id = ?", stays[0])
    return stays


def split_of_another_seed(plant: Plant) -> list[int]:
    (stay,) = plant.stays(
        "select any_value(stay_id) from marts.cohort where split = 'validation'"
        " group by subject_id having count(*) = 1 order by 1 limit 1"
    )
    plant.run("update marts.cohort set split = 'test' where stay_id = ?", stay)
    return [stay]


def image_in_two_splits(plant: Plant) -> list[int]:
    one, other = plant.stay("train", "has_image"), plant.stay("test")
    plant.run(
        "insert into marts.chest_xrays by name select images.* replace (cohort.stay_id as stay_id,"
        " cohort.window_start as observed_at, cohort.window_start as available_at)"
        " from marts.chest_xrays as images, marts.cohort where images.stay_id = ?"
        " and cohort.stay_id = ?",
        one, other,
    )  # fmt: skip
    return [one, other]


def picture_under_two_names(plant: Plant) -> list[int]:
    one, other = plant.stay("train", "has_image"), plant.stay("test", "has_image")
    plant.run(
        "update embeddings.pixel_pca set embedding = (select embedding from embeddings.pixel_pca"
        " where stay_id = ?) where stay_id = ?", one, other,
    )  # fmt: skip
    return [one, other]


def report_in_two_splits(plant: Plant) -> list[int]:
    return _same_text(plant, "Heart size is normal, lungs are clear. " * 20)


def _same_text(plant: Plant, text: str) -> list[int]:
    stays = [plant.stay("train", "has_text"), plant.stay("test", "has_text")]
    for stay, version in zip(stays, (text, "\n " + text.upper().replace(" ", "  ")), strict=True):
        plant.run(
            "update marts.radiology_reports set text = ? where note_id ="
            " (select min(note_id) from marts.radiology_reports where stay_id = ?)", version, stay,
        )  # fmt: skip
    return stays


def vital_sign_stored_late(plant: Plant) -> list[int]:
    stay = plant.stay("train", "has_vitals")
    plant.run(
        "update marts.vitals_events as events set available_at = cohort.window_end"
        " from marts.cohort where events.stay_id = cohort.stay_id and events.stay_id = ?", stay,
    )  # fmt: skip
    return [stay]


def image_seen_before_the_window(plant: Plant) -> list[int]:
    stay = plant.stay("test", "has_image")
    plant.run(
        "update marts.chest_xrays as images set observed_at = cohort.window_start"
        " - interval 1 second from marts.cohort where images.stay_id = cohort.stay_id"
        " and images.stay_id = ?", stay,
    )  # fmt: skip
    return [stay]


def report_written_after_the_window(plant: Plant) -> list[int]:
    stay = plant.stay("validation", "has_text")
    plant.run(
        "update marts.radiology_reports as reports set observed_at = cohort.window_end,"
        " available_at = cohort.window_end from marts.cohort where reports.stay_id = cohort.stay_id"
        " and reports.stay_id = ?", stay,
    )  # fmt: skip
    return [stay]


def infusion_that_runs_on_after_the_window(plant: Plant) -> list[int]:
    stay = plant.stay("train")
    plant.run(
        "insert into marts.medications_events by name select stay_id, 'insulin' as variable,"
        " window_end - interval 1 hour as observed_at, observed_at as available_at, 23 as hours,"
        " window_end + interval 1 second as ended_at, 3600 as value, false as is_bolus,"
        " false as is_carried_on, 'insulin' as substance, 1 as itemid"
        " from marts.cohort where stay_id = ?", stay,
    )  # fmt: skip
    plant.run(
        "update marts.medications_hourly set value = value + 3601, measured = true"
        " where stay_id = ? and variable = 'insulin' and hour = 23", stay,
    )  # fmt: skip
    return [stay]


def dose_that_nobody_gave(plant: Plant) -> list[int]:
    cell = "hour = 3 and variable = 'vasopressors' and not measured"
    (stay,) = plant.stays(f"select min(stay_id) from marts.medications_hourly where {cell}")
    plant.run(
        f"update marts.medications_hourly set value = 0.01 where stay_id = ? and {cell}", stay
    )
    return [stay]


def dose_that_nobody_charted(plant: Plant) -> list[int]:
    stay = plant.stay("test")
    plant.run(
        "update marts.medications_hourly set value = value + 0.01, measured = true"
        " where stay_id = ? and hour = 3 and variable = 'vasopressors'", stay,
    )  # fmt: skip
    return [stay]


def diagnosis(hadm_id: str, at: str) -> Callable[[Plant], list[int]]:
    def planted(plant: Plant) -> list[int]:
        stay = plant.stay("train")
        plant.run(
            "insert into marts.diagnoses (stay_id, hadm_id, icd_version, icd_code, observed_at,"
            f" available_at, hours) select stay_id, {hadm_id}, 10, 'I10', {at}, {at},"
            f" epoch({at} - intime) / 3600 from marts.cohort where stay_id = ?", stay,
        )  # fmt: skip
        return [stay]

    return planted


def grid_too_long(plant: Plant) -> list[int]:
    stay = plant.stay("test", "has_vitals")
    plant.run(
        "insert into marts.vitals_hourly by name select * replace (24 as hour)"
        " from marts.vitals_hourly where hour = 23 and stay_id = ?", stay,
    )  # fmt: skip
    return [stay]


def fill_of_all_stays(plant: Plant) -> list[int]:
    never = (
        "stay_id not in (select stay_id from marts.vitals_events where variable = 'temperature')"
        " and variable = 'temperature'"
    )
    median = (
        "select median(value) from (select avg(value) as value from marts.vitals_events"
        " inner join marts.cohort using (stay_id) where variable = 'temperature' and {}"
        " group by stay_id, floor(hours))"
    )
    medians = [plant.db.execute(median.format(of)).fetchall() for of in ("true", "split = 'train'")]
    assert medians[0] != medians[1]
    stays = plant.stays(
        f"select distinct stay_id from marts.vitals_hourly where {never} order by 1"
    )
    plant.run(f"update marts.vitals_hourly set value = ({median.format('true')}) where {never}")
    return stays


def fill_from_the_future(plant: Plant) -> list[int]:
    (stay,) = plant.stays(
        "select stay_id from marts.vitals_events where variable = 'heart_rate' group by stay_id"
        " having min(hours) >= 1 order by 1 limit 1"
    )
    plant.run(
        "update marts.vitals_hourly set value = value + 1 where stay_id = ? and hour = 0"
        " and variable = 'heart_rate'", stay,
    )  # fmt: skip
    return [stay]


def discharge_summary(plant: Plant) -> list[int]:
    stay = plant.stay("test", "has_text")
    plant.run(
        "update marts.radiology_reports set note_id = '1-DS-1' where note_id ="
        " (select min(note_id) from marts.radiology_reports where stay_id = ?)", stay,
    )  # fmt: skip
    return [stay]


def image_of_another_day(plant: Plant) -> list[int]:
    stay = plant.stay("test", "has_image")
    plant.run("update marts.patient_profiles set latest_dicom_id = 'other' where stay_id = ?", stay)
    return [stay]


def left_in_the_window(plant: Plant) -> list[int]:
    stay = plant.stay(  # with nothing that runs on to the end, which would be found too
        "test",
        "not exists (from marts.medications_events as given where given.stay_id = cohort.stay_id"
        " and ended_at > window_end - interval 1 second)",
    )
    plant.run(
        "update marts.cohort set outtime = window_end - interval 1 second where stay_id = ?", stay
    )
    return [stay]


def died_in_the_window(plant: Plant) -> list[int]:
    stay = plant.stay("test")
    plant.run(
        "update marts.task_in_hospital_mortality as task set decided_at = cohort.window_end"
        " - interval 1 second from marts.cohort where cohort.stay_id = task.stay_id"
        " and task.stay_id = ?",
        stay,
    )
    return [stay]


def one_label_for_all(plant: Plant) -> list[int]:
    plant.run("update marts.labels set label = 0 where task = ?", TASK)
    return plant.stays("select stay_id from marts.cohort order by 1")


def one_label_for_train(plant: Plant) -> list[int]:
    stays = plant.stays("select stay_id from marts.cohort where split = 'train' order by 1")
    plant.run(
        "update marts.labels set label = 1 where task = ? and stay_id in (select unnest(?))",
        TASK,
        stays,
    )
    return stays


def transform_saw(split: str) -> Callable[[Plant], list[int]]:
    def plant_it(plant: Plant) -> list[int]:
        stay = plant.stay(split)
        plant.run("update embeddings.fitted set fitted_on = list_append(fitted_on, ?)", stay)
        return [stay]

    return plant_it


def model_saw(split: str) -> Callable[[Plant], list[int]]:
    def plant_it(plant: Plant) -> list[int]:
        stay = plant.stay(split)
        plant.run("update results.fits set fitted_on = list_append(fitted_on, ?)", stay)
        return [stay]

    return plant_it


def model_saw_a_stay_outside(plant: Plant) -> list[int]:
    plant.run("update results.fits set fitted_on = list_append(fitted_on, 1)")
    return [1]


def embedding_of_a_stay_outside(plant: Plant) -> list[int]:
    plant.run(
        "insert into embeddings.swin select * replace (1 as stay_id) from embeddings.swin limit 1"
    )
    return [1]


def prediction_of_a_stay_outside(plant: Plant) -> list[int]:
    plant.run(
        "insert into results.predictions select * replace (1 as stay_id)"
        " from results.predictions limit 1"
    )
    return [1]


def prediction_with(change: str) -> Callable[[Plant], list[int]]:
    def plant_it(plant: Plant) -> list[int]:
        stay = plant.stay("test")
        plant.run(f"update results.predictions set {change} where stay_id = ?", stay)
        return [stay]

    return plant_it


def prediction_twice(plant: Plant) -> list[int]:
    stay = plant.stay("validation")
    plant.run("insert into results.predictions from results.predictions where stay_id = ?", stay)
    return [stay]


def no_prediction(plant: Plant) -> list[int]:
    stay = plant.stay("test")
    plant.run("delete from results.predictions where stay_id = ?", stay)
    return [stay]


def prediction_in_sample(plant: Plant) -> list[int]:
    stay = plant.stay("train")
    plant.run("update results.predictions set out_of_fold = false where stay_id = ?", stay)
    return [stay]


def encoded_again(plant: Plant) -> list[int]:
    stay = plant.stay("test", "has_image")
    plant.run(
        "insert into results.runs select * replace ('embed-again' as run_id) from results.runs"
        " where run_id = 'embed-pixel_pca'"
    )
    plant.run(
        "update embeddings.pixel_pca set run_id = 'embed-again', input_hash = 'other'"
        " where stay_id = ?",
        stay,
    )
    return [stay]


LEAKS_OF_MARTS = [
    ("splits_not_of_the_hash", split_of_another_seed),
    ("images_in_two_splits", image_in_two_splits),
    ("report_texts_in_two_splits", report_in_two_splits),
    ("rows_past_cutoff", vital_sign_stored_late),
    ("rows_past_cutoff", image_seen_before_the_window),
    ("rows_past_cutoff", report_written_after_the_window),
    ("rows_past_cutoff", infusion_that_runs_on_after_the_window),
    ("rows_of_the_present_admission", diagnosis("hadm_id", "intime - interval 30 day")),
    ("rows_of_the_present_admission", diagnosis("hadm_id + 1", "intime + interval 1 second")),
    ("grids_past_cutoff", grid_too_long),
    ("fill_not_of_train", fill_of_all_stays),
    ("fill_not_of_train", fill_from_the_future),
    ("fill_not_of_train", dose_that_nobody_gave),
    ("fill_not_of_train", dose_that_nobody_charted),
    ("discharge_summaries", discharge_summary),
    ("profile_images_past_cutoff", image_of_another_day),
    ("outcome_in_window", left_in_the_window),
    ("outcome_in_window", died_in_the_window),
    ("labels_constant", one_label_for_all),
    ("labels_constant", one_label_for_train),
]
LEAKS_OF_RESULTS = [
    ("image_vectors_in_two_splits", picture_under_two_names),
    ("transforms_fitted_outside_train", transform_saw("test")),
    ("transforms_fitted_outside_train", transform_saw("validation")),
    ("models_fitted_outside_train", model_saw("test")),
    ("models_fitted_outside_train", model_saw("validation")),
    ("models_fitted_outside_train", model_saw_a_stay_outside),
    ("embeddings_of_another_cohort", embedding_of_a_stay_outside),
    ("predictions_of_another_cohort", prediction_of_a_stay_outside),
    ("predictions_of_another_cohort", prediction_with("split = 'validation'")),
    ("predictions_of_another_outcome", prediction_with("y_true = 1 - y_true")),
    ("predictions_of_another_cohort", prediction_twice),
    ("predictions_of_another_cohort", no_prediction),
    ("predictions_in_sample", prediction_in_sample),
    ("predictions_of_other_embeddings", encoded_again),
]


def spoil(bench: Bench, leak: Callable[[Plant], Any]) -> Any:
    """Plants a leak; gives what it gives: the stays to be found, in most cases."""
    with duckdb.connect(str(bench.warehouse)) as db:
        return leak(Plant(db))


def test_every_check_is_a_file_a_name_in_the_report_and_a_row_of_the_seed() -> None:
    report = (PROJECT / "models/reports/audit/report_audit.sql").read_text()
    listed = re.findall(r"^    '(\w+)',$", report, flags=re.MULTILINE)
    assert sorted(listed) == sorted(FILES)
    assert {row["check_name"] for _, row in seed_rows(PROJECT, "audit_checks")} >= FILES


def states(bench: Bench) -> dict[str, str]:
    """Of the checks that the view itself computes, and that are not about learners."""
    found = dict(bench.sql("select check_name, state from reports.audit where state != 'not run'"))
    assert {found.pop(name) for name in OF_LEARNERS} == {"nothing to check"}
    return found


def failed(bench: Bench) -> dict[str, list[int]]:
    found = bench.sql("select check_name, stay_ids from reports.audit where state = 'failed'")
    return dict(found)


def test_every_check_passes_on_a_clean_warehouse_and_has_its_words(clean: Bench) -> None:
    found = states(clean)
    assert found.pop("predictions_changed_since") == "nothing to check"  # _predict notes no hash
    assert set(found.values()) == {"passed"}
    lines: list[str] = []
    assert print_checks(clean.warehouse, lines.append) == 0
    passed, unasked = len(found), len(OF_LEARNERS) + 1
    assert lines[-1] == (
        f"{passed + unasked + len(COMPUTED_AGAIN)} checks: {passed} passed, {unasked} nothing to"
        f" check, {len(COMPUTED_AGAIN)} not run."
    )
    assert (
        clean.sql(
            "select check_name from reports.audit where not coalesce((checked > 0 or state in"
            " ('nothing to check', 'not run')) and failing = 0 and stays = 0"
            " and stay_ids is null and detail is null, false)"
        )
        == []
    )
    counts = (
        "count(*), count(distinct check_name), count(question), count(mend), count(severity),"
        " count(distinct position)"
    )
    assert len(set(clean.sql(f"select {counts} from reports.audit")[0])) == 1


def test_without_results_there_is_nothing_to_check(unscored: Bench) -> None:
    found = states(unscored)
    of_results = {name for name, _ in LEAKS_OF_RESULTS}
    of_results |= {
        "baseline_chosen_on_test", "predictions_changed_since", "vectors_separate_classes",
    }  # fmt: skip
    assert {name for name, state in found.items() if state == "nothing to check"} == of_results
    assert set(found.values()) == {"passed", "nothing to check"}


def test_for_every_check_a_leak_is_planted(clean: Bench) -> None:
    planted = {name for name, _ in LEAKS_OF_MARTS + LEAKS_OF_RESULTS} | OF_FEATURES
    planted |= PLANTED_BY_THEMSELVES
    assert set(states(clean)) - planted == {"baseline_chosen_on_test"}  # by choice, or not at all


@pytest.mark.parametrize(("check", "leak"), LEAKS_OF_MARTS)
def test_a_leak_in_the_marts_is_found_in_just_its_stays(
    unscored: Bench, check: str, leak: Callable
) -> None:
    stays = spoil(unscored, leak)
    assert failed(unscored) == {check: sorted(stays)}


@pytest.mark.parametrize(("check", "leak"), LEAKS_OF_RESULTS)
def test_a_leak_in_the_results_is_found_in_just_its_stays(
    clean: Bench, check: str, leak: Callable
) -> None:
    stays = spoil(clean, leak)
    assert failed(clean) == {check: sorted(stays)}


def test_a_patient_in_two_splits_is_found_with_all_stays(unscored: Bench) -> None:
    stays = spoil(unscored, patient_in_two_splits)
    assert failed(unscored) == {
        "patients_in_two_splits": sorted(stays), "splits_not_of_the_hash": stays[:1],
    }  # fmt: skip


def test_a_stay_of_a_test_patient_was_fitted_on(clean: Bench) -> None:
    def leak(plant: Plant) -> list[int]:
        stay = patient_in_two_splits(plant)[0]
        plant.run("update marts.cohort set split = 'train' where stay_id = ?", stay)
        plant.run("update results.fits set fitted_on = list_append(fitted_on, ?)", stay)
        return [stay]

    stays = spoil(clean, leak)
    assert failed(clean)["models_fitted_outside_train"] == stays
    detail = clean.sql(ONE_CHECK.format("models_fitted_outside_train"))[0][3]
    assert detail == f"{TASK} image[pixel_pca] by concatenate: patient of test"


def test_encoders_that_are_trained_for_a_task_may_see_validation_but_not_test(clean: Bench) -> None:
    with open_warehouse(clean.warehouse, read_only=False) as db:
        _embed(db, "gru", fit_hash="of-series", task=TASK, splits=("train", "validation"))
    assert failed(clean) == {}
    see = (
        "update embeddings.fitted set fitted_on = list_append(fitted_on, {}) where encoder = 'gru'"
    )
    spoil(clean, lambda plant: plant.run(see.format(plant.stay("test"))))
    detail = clean.sql(ONE_CHECK.format("transforms_fitted_outside_train"))[0][3]
    assert detail == f"gru {TASK}: test"


def test_a_fit_that_cannot_be_traced_fails_without_stays(clean: Bench) -> None:
    spoil(clean, lambda plant: plant.run("update embeddings.fitted set fitted_on = null"))
    assert failed(clean) == {"transforms_fitted_outside_train": None}
    lines: list[str] = []
    assert print_checks(clean.warehouse, lines.append) == 1
    assert any("pixel_pca: unknown stays" in line for line in lines)
    assert any("charthouse embed again" in line for line in lines)


def test_inputs_that_changed_under_the_same_run_fail(clean: Bench) -> None:
    change = "update embeddings.pixel_pca set input_hash = 'other' where stay_id = {}"
    spoil(clean, lambda plant: plant.run(change.format(plant.stay("train", "has_image"))))
    assert failed(clean) == {"predictions_of_other_embeddings": None}


def test_the_same_vectors_by_another_run_are_those_that_were_read(clean: Bench) -> None:
    """As after one seed of an encoder, another, and the first again."""
    spoil(clean, lambda plant: plant.run("update embeddings.pixel_pca set run_id = 'embed-swin'"))
    assert failed(clean) == {}


def test_short_texts_that_patients_share_are_no_leak(unscored: Bench) -> None:
    spoil(unscored, lambda plant: _same_text(plant, "No acute process. " * 20))
    assert failed(unscored) == {}


def test_what_failed_is_printed_with_its_stays_and_how_to_mend_it(unscored: Bench) -> None:
    stays = spoil(unscored, one_label_for_train)
    lines: list[str] = []
    assert print_checks(unscored.warehouse, lines.append) == 1
    text = "\n".join(lines)
    assert "FAILED               labels_constant" in text
    shown = ", ".join(map(str, stays[:20]))
    assert f"stays {shown} and {len(stays) - 20} more" in text
    assert f"{TASK} in train" in text and "Look in marts.labels" in text
    assert "1 FAILED" in lines[-1]


def test_the_papers_choices_are_by_choice(unscored: Bench) -> None:
    assert unscored.build(*UNTESTED, "--vars", "{protocol: paper}").code == 0
    with open_warehouse(unscored.warehouse, read_only=False) as db:
        _embed(db, "pixel_pca", fit_hash="of-pixels")
        _predict(db)
    found = states(unscored)
    assert {name for name, state in found.items() if state == "by a chosen setting"} >= {
        "patients_in_two_splits", "rows_past_cutoff", "outcome_in_window",
        "baseline_chosen_on_test",
    }  # fmt: skip
    assert failed(unscored) == {}
    late = unscored.sql(
        "select distinct stay_id from (from marts.vitals_events select stay_id, available_at"
        " union all from marts.labs_events select stay_id, available_at"
        " union all from marts.medications_events select stay_id, available_at"
        " union all from marts.radiology_reports select stay_id, available_at)"
        " inner join marts.cohort using (stay_id)"
        " where available_at > least(window_end, outtime) order by 1"
    )
    named = unscored.sql(ONE_CHECK.format("rows_past_cutoff"))[0][2]
    assert named == [stay for (stay,) in late]


def test_a_choice_hides_no_other_leak(unscored: Bench) -> None:
    def leak(plant: Plant) -> list[int]:
        paper = '{"split_unit": "stay", "availability": "observed", "landmark": false}'
        plant.run(
            "update marts.cohort_definition set variables = json_merge_patch(variables, ?)", paper
        )
        moved = patient_in_two_splits(plant)[:1]
        vital_sign_stored_late(plant)
        left_in_the_window(plant)
        return moved + report_in_two_splits(plant) + report_written_after_the_window(plant)

    moved, *texts, late = spoil(unscored, leak)
    assert failed(unscored) == {
        "report_texts_in_two_splits": sorted(texts), "rows_past_cutoff": [late],
        "splits_not_of_the_hash": [moved],
    }  # fmt: skip
    by_choice = {name for name, state in states(unscored).items() if state == "by a chosen setting"}
    assert by_choice == {"patients_in_two_splits", "outcome_in_window"}


def test_a_warehouse_of_an_older_clone_is_audited_after_a_build(clean: Bench) -> None:
    def age(plant: Plant) -> None:
        plant.db.execute(
            "create or replace view embeddings.encoded as select 'pixel_pca' as encoder,"
            " null::varchar as task, stay_id, input_hash, reads, run_id"
            " from embeddings.pixel_pca"
        )

    spoil(clean, age)
    with pytest.raises(CharthouseError, match="Run charthouse build"):
        audit(PROJECT, clean.warehouse, print)
    assert clean.build("--select", "encoded+", *UNTESTED).code == 0
    assert failed(clean) == {}
    assert clean.one("select count(distinct encoder) from embeddings.encoded") == 3


def test_without_the_view_it_says_what_to_do(unscored: Bench) -> None:
    spoil(unscored, lambda plant: plant.db.execute("drop view reports.audit"))
    with pytest.raises(CharthouseError, match="lacks reports"):
        audit(PROJECT, unscored.warehouse, print)

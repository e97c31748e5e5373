"""Arms, folds and predictions: what is fitted on what, what stands, what is refused."""

import csv
import dataclasses
import math
import re
import shutil
import signal
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import duckdb
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from bench import PROJECT, UNTESTED, Bench
from charthouse.core.errors import CharthouseError
from charthouse.jobs.evaluate.explain import explain
from charthouse.jobs.evaluate.representatives import one_per_modalities
from charthouse.jobs.evaluate.run import EvaluateRequest, evaluate
from charthouse.jobs.predict.arms import best_first, default_arms, parse_arm
from charthouse.jobs.predict.job import TaskStays, fit_arm
from charthouse.jobs.predict.run import PredictRequest, predict
from charthouse.models.encoders.registry import encoder_specs
from charthouse.models.fusions.block import Block
from charthouse.models.fusions.registry import make_fusion
from small_disk import fill, needs_root, small_disk

SPECS = encoder_specs(PROJECT)
CLASSICAL = ("demographics", "fixed_interval", "summary", "tfidf_svd", "pixel_pca")
BEST = "structured[fixed_interval]"  # the only baseline of the paper that is embedded here


def embed(bench: Bench, *encoders: str) -> None:
    done = bench.charthouse("embed", *(word for name in encoders for word in ("--encoder", name)))
    assert done.returncode == 0, done.stderr


OF_BOTH = ("--task", "icu_stay_over_3_days", "--task", "in_hospital_mortality")


@pytest.fixture(scope="module")
def predicted(built: Bench, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Every default arm that the classical encoders allow; read only."""
    folder = tmp_path_factory.mktemp("predicted")
    shutil.copy(built.warehouse, folder / "warehouse.duckdb")
    bench = Bench(built.raw, folder / "warehouse.duckdb", folder)
    embed(bench, *CLASSICAL)
    done = bench.charthouse("predict", *OF_BOTH)
    assert done.returncode == 0, done.stderr
    return bench


@pytest.fixture
def own(predicted: Bench, tmp_path: Path) -> Bench:
    """A copy of it, for a test to spoil."""
    shutil.copy(predicted.warehouse, tmp_path / "warehouse.duckdb")
    return Bench(predicted.raw, tmp_path / "warehouse.duckdb", tmp_path)


def write(bench: Bench, statement: str) -> None:
    with duckdb.connect(str(bench.warehouse)) as database:
        database.execute(statement)


# Names


def test_an_arm_is_named_alike_however_it_is_written() -> None:
    arm = parse_arm("text[radbert]+structured[gru]", SPECS)
    assert arm.name == "structured[gru]+text[radbert]"
    assert arm.encoders == ("demographics", "gru", "radbert")
    assert parse_arm("structured[demographics]", SPECS).encoders == ("demographics",)
    assert parse_arm("image[swin,pixel_pca]", SPECS).encoders == ("swin", "pixel_pca")
    presence = parse_arm("presence", SPECS)
    assert (presence.name, presence.encoders, presence.reads) == ("presence", (), ("presence",))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("structured[gru]+image[swim]", "Did you mean 'swin'?"),
        ("structured[swin]", "'swin' is no encoder for structured"),
        ("gru", "is no arm. Write it like"),
        ("image[swin]+image[pixel_pca]", "each once"),
        ("image[]", "is no arm"),
        ("image[best]", "'best' is no encoder for image"),
    ],
)
def test_what_is_no_arm_is_refused(name: str, message: str) -> None:
    with pytest.raises(CharthouseError) as error:
        parse_arm(name, SPECS)
    assert message in str(error.value)


def test_of_equally_good_arms_the_first_in_the_alphabet_is_the_best() -> None:
    found = {"c": 0.8, "a": math.nan, "d": None, "b": 0.8, "e": 0.7}
    assert sorted(found, key=best_first(found)) == ["b", "c", "e", "a", "d"]
    arms = [f"structured[{name}]" for name in ("moment", "gru", "fixed_interval")]
    validation = {arms[0]: 0.8, arms[1]: 0.8, arms[2]: math.nan}
    assert one_per_modalities(arms, validation) == ["structured[gru]"]


def test_the_default_arms_on_the_papers_baseline_are_the_papers_tables() -> None:
    gru = parse_arm("structured[gru]", SPECS)
    ours = {
        item.arm.on(gru).name for item in default_arms(PROJECT, SPECS) if item.purpose == "paper"
    }
    with (PROJECT / "seeds/published/paper_results.csv").open() as file:
        rows = list(csv.DictReader(file))
    for task in ("in_hospital_mortality", "icu_stay_over_3_days"):
        published = {
            f"structured[{row['time_series']}]"
            + (f"+image[{row['image']}]" if row["image"] else "")
            + (f"+text[{row['text']}]" if row["text"] else "")
            for row in rows
            if row["task"] == task
        }
        assert ours == published
        assert len(published) == 11


# Folds and fits


def stays(n: int = 240, *, seed: int = 0) -> TaskStays:
    rng = np.random.default_rng(seed)
    subject_ids = np.repeat(np.arange(n // 2), 2)
    return TaskStays(
        task="in_hospital_mortality",
        stay_ids=np.arange(n),
        subject_ids=subject_ids,
        splits=np.array(["train", "train", "validation", "test"])[subject_ids % 4],
        y_true=(rng.random(n) < 0.3).astype(np.int64),
        fit_splits=("train",),
        seed=0,
    )


def test_no_patient_is_in_two_folds_and_only_fitted_stays_are_in_any() -> None:
    found = stays()
    assert set(found.folds[found.splits != "train"]) == {-1}
    assert set(found.folds[found.splits == "train"]) == set(range(5))
    for subject in set(found.subject_ids):
        assert len(set(found.folds[found.subject_ids == subject])) == 1


def test_few_patients_make_fewer_folds_and_too_few_are_refused() -> None:
    some = stays()
    y_true = np.zeros_like(some.y_true)
    train = np.flatnonzero(some.splits == "train")
    y_true[train[[0, 1, 4, 5]]] = 1  # two patients
    few = dataclasses.replace(some, y_true=y_true)
    assert set(few.folds) == {-1, 0, 1}
    assert (few.made_folds, some.made_folds) == (2, 5)
    y_true[train[[4, 5]]] = 0
    with pytest.raises(CharthouseError, match="1 patients with and 59 without the outcome"):
        _ = dataclasses.replace(some, y_true=y_true).folds


def blocks_of(found: TaskStays) -> dict[str, Block]:
    rng = np.random.default_rng(1)
    n = len(found.stay_ids)
    vectors = rng.normal(size=(n, 6)).astype(np.float32)
    vectors[:, 0] += found.y_true
    names = tuple(f"number {i}" for i in range(6))
    return {"demographics": Block("demographics", "demographics", names, vectors, np.ones(n, bool))}


@pytest.mark.parametrize("fusion", ["concatenate", "concatenate_presence", "late"])
def test_labels_of_other_splits_change_no_score(fusion: str) -> None:
    found = stays()
    block = blocks_of(found)
    flipped = dataclasses.replace(
        found, y_true=np.where(found.splits == "train", found.y_true, 1 - found.y_true)
    )
    scores = [
        fit_arm(each, make_fusion(PROJECT, fusion), ("demographics",), block.__getitem__).y_score
        for each in (found, flipped)
    ]
    assert np.array_equal(*scores)


def test_a_fitted_stays_score_is_of_a_model_without_its_patient() -> None:
    """With more numbers than stays a model knows its own stays by heart: scores of 0 and 1."""
    found = stays()
    rng = np.random.default_rng(2)
    n = len(found.stay_ids)
    noise = rng.normal(size=(n, 300)).astype(np.float32)[found.subject_ids]  # alike in a patient
    block = Block("text", "tfidf_svd", tuple(map(str, range(300))), noise, np.ones(n, bool))
    fused = fit_arm(found, make_fusion(PROJECT, "concatenate"), ("x",), lambda _: block)
    own = fused.y_score[found.fitted_on]
    assert 0.3 < roc_auc_score(found.y_true[found.fitted_on], own) < 0.7


# The job


def test_every_stay_is_scored_once_by_every_arm(predicted: Bench) -> None:
    stays_of_task = predicted.one("select count(*) from marts.cohort")
    assert predicted.sql(
        "select distinct count(*), count(distinct stay_id) from results.predictions group by run_id"
    ) == [(stays_of_task, stays_of_task)]
    arms = {row[0] for row in predicted.sql("select distinct arm from results.predictions")}
    assert arms == {
        BEST, "presence", "structured[demographics]", "structured[summary]",
        f"{BEST}+image[pixel_pca]", f"{BEST}+text[tfidf_svd]",
        f"{BEST}+image[pixel_pca]+text[tfidf_svd]",
    }  # fmt: skip
    assert predicted.sql(
        "select distinct split, out_of_fold from results.predictions order by split"
    ) == [("test", False), ("train", True), ("validation", False)]


def test_stays_that_a_task_does_not_ask_about_are_neither_fitted_on_nor_scored(own: Bench) -> None:
    task = "readmission_30d"
    assert own.charthouse("predict", "--task", task, "--arm", "presence").returncode == 0
    labelled = f"select stay_id from marts.labels where task = '{task}' order by 1"
    assert len(own.sql(labelled)) < own.one("select count(*) from marts.cohort")
    scored = f"select stay_id from results.predictions where task = '{task}' order by 1"
    assert own.sql(scored) == own.sql(labelled)
    fitted = "select unnest(fitted_on) from results.fits inner join results.runs using (run_id)"
    of_train = (
        f"from ({labelled}) semi join (from marts.cohort where split = 'train') using (stay_id)"
    )
    assert own.sql(f"{fitted} where task = '{task}' order by 1") == own.sql(
        f"{of_train} order by 1"
    )


def test_what_was_fitted_on_is_the_train_split(predicted: Bench) -> None:
    assert predicted.sql(
        "select distinct cohort.split from (select unnest(fitted_on) as stay_id from results.fits)"
        " inner join marts.cohort using (stay_id)"
    ) == [("train",)]
    assert predicted.one(
        "select count(*) from results.fits where len(fitted_on) !="
        " (select count(*) from marts.cohort where split = 'train')"
    ) == 0  # fmt: skip


def test_the_whole_grid_is_told_and_the_choice_is_its_best(predicted: Bench) -> None:
    rows = predicted.sql(
        "select run_id, penalty, c, cv_auroc, max(cast(candidate ->> 'mean_auroc' as double)),"
        " count(*) from (select *, unnest(cast(candidates as json[])) as candidate"
        " from results.fits) group by all"
    )
    assert rows
    for _, penalty, c, cv_auroc, best, candidates in rows:
        assert candidates == 9  # 4 of l1, 4 of l2, 1 without
        assert cv_auroc == best
        assert (c is None) == (penalty == "none")


def test_arms_that_stand_are_kept_and_what_changed_is_fitted_again(own: Bench) -> None:
    before = own.one("select count(*) from results.runs where kind = 'predict'")
    # some vectors were made again by another run, and are the same
    write(own, "update embeddings.pixel_pca set run_id = 'embed-again' where stay_id in"
               " (select stay_id from embeddings.pixel_pca order by 1 limit 9)")  # fmt: skip
    again = own.charthouse("predict", *OF_BOTH)
    assert again.stdout.count("kept (predict-") == 14
    assert own.one("select count(*) from results.runs where kind = 'predict'") == before
    # one vector is of another input now
    write(own, "update embeddings.pixel_pca set input_hash = 'other' where stay_id ="
               " (select min(stay_id) from embeddings.pixel_pca)")  # fmt: skip
    again = own.charthouse("predict", *OF_BOTH)
    assert again.stdout.count("kept (predict-") == 10
    assert own.one("select count(*) from results.runs where kind = 'predict'") == before + 4
    assert own.one("select count(*) from reports.arms") == 14


def test_another_seed_is_another_run_and_the_same_seed_the_same_scores(own: Bench) -> None:
    arm = ("--arm", "structured[summary]", "--task", "in_hospital_mortality")
    own.charthouse("predict", *arm, "--seed", "1")
    own.charthouse("predict", *arm, "--seed", "0")
    runs = own.sql(
        "select seed, list(y_score order by stay_id) from results.predictions"
        " inner join results.runs using (run_id) where arm = 'structured[summary]'"
        " and predictions.task = 'in_hospital_mortality' group by run_id, seed, started_at"
        " order by started_at"
    )
    assert [seed for seed, _ in runs] == [0, 1, 0]
    assert runs[0][1] == runs[2][1] != runs[1][1]


def test_the_best_baseline_is_picked_on_validation(own: Bench) -> None:
    """Scores are spoiled on test and improved on validation: validation decides."""
    named = ("--task", "in_hospital_mortality")
    assert own.charthouse("embed", "--encoder", "gru", *named).returncode == 0
    own.charthouse("predict", *named, "--arm", BEST, "--arm", "structured[gru]")
    write(own, "update results.predictions"
               " set y_score = if(split = 'validation', y_true, 1 - y_true)"
               " where arm = 'structured[gru]' and split != 'train'")  # fmt: skip
    done = own.charthouse("predict", *named, "--arm", "structured[best]+text[tfidf_svd]")
    assert "best baseline on validation: structured[gru], AUROC 1.000" in done.stdout, done.stderr
    assert own.one(
        "select count(*) from reports.arms where arm = 'structured[gru]+text[tfidf_svd]'"
    )


def test_scores_of_other_vectors_are_not_taken_apart(own: Bench) -> None:
    arm, task = f"{BEST}+image[pixel_pca]", "in_hospital_mortality"
    stay_id = own.one("select min(stay_id) from marts.cohort where split = 'test' and has_image")
    found = explain(PROJECT, own.warehouse, stay_id, task, arm)
    log_odds = found.at_mean + sum(found.by_modality.values())
    assert 1 / (1 + np.exp(-log_odds)) == pytest.approx(found.y_score, abs=1e-6)
    for fusion, reason in [
        ("concatenate", "--fusion concatenate first"),
        ("gated", "gated has no contributions. Name another: --fusion concatenate_presence"),
        ("gatd", "Did you mean 'gated'"),
    ]:
        with pytest.raises(CharthouseError, match=reason):
            explain(PROJECT, own.warehouse, stay_id, task, arm, fusion)
    # one number less, of other pictures
    size = own.one("select any_value(array_length(embedding)) from embeddings.pixel_pca") - 1
    write(own, "create or replace table embeddings.pixel_pca as select * replace ("
               f"embedding[2:]::float[{size}] as embedding, input_hash || '2' as input_hash)"
               " from embeddings.pixel_pca")  # fmt: skip
    with pytest.raises(CharthouseError, match=r"other vectors of pixel_pca .* predict again"):
        explain(PROJECT, own.warehouse, stay_id, task, arm)
    lines: list[str] = []
    evaluate(PROJECT, own.warehouse, EvaluateRequest(tasks=[task], n_bootstrap=20),
             say=lines.append, watch=lambda *_: nullcontext(lambda *_: None))  # fmt: skip
    left_out = [line for line in lines if "no contributions" in line]
    assert len(left_out) == 2 and all("other vectors of pixel_pca" in line for line in left_out)
    arms = own.sql("select distinct arm from results.contributions")
    assert (BEST,) in arms and not any("pixel_pca" in arm for (arm,) in arms)
    # nor are those of a fusion whose code has changed
    older = '{"fusion_version": 0}'
    write(own, f"update results.runs set settings = json_merge_patch(settings, '{older}')"
               " where kind = 'predict'")  # fmt: skip
    with pytest.raises(CharthouseError, match=r"other code of concatenate_presence .* predict ag"):
        explain(PROJECT, own.warehouse, stay_id, task, BEST)


@pytest.mark.parametrize("moment", ["between two arms", "before they are read"])
def test_no_score_is_of_other_vectors_than_its_run_names(
    own: Bench, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Several arms read the same vectors, and embed may make others in between."""
    arms = ("image[pixel_pca]", "image[pixel_pca]+text[tfidf_svd]")
    lines: list[str] = []

    def embed_again() -> None:
        size = own.one("select any_value(array_length(embedding)) from embeddings.pixel_pca") - 1
        write(own, "create or replace table embeddings.pixel_pca as select * replace ("
                   f"embedding[2:]::float[{size}] as embedding, input_hash || '2' as input_hash)"
                   " from embeddings.pixel_pca")  # fmt: skip

    def say(line: str) -> None:
        lines.append(line)
        if moment == "between two arms" and f"{arms[0]}:" in line:
            embed_again()

    def fit_late(*given: object) -> object:
        embed_again()
        return fit_arm(*given)

    if moment == "before they are read":
        monkeypatch.setattr("charthouse.jobs.predict.run.fit_arm", fit_late)
    run = partial(predict, PROJECT, own.warehouse,
                  PredictRequest(arms, ["in_hospital_mortality"], ["concatenate"], seed=5),
                  say=say, watch=lambda *_: nullcontext(lambda *_: None))  # fmt: skip
    image, text = (
        own.one(f"select any_value(array_length(embedding)) from embeddings.{encoder}")
        for encoder in ("pixel_pca", "tfidf_svd")
    )
    if moment == "before they are read":
        with pytest.raises(CharthouseError, match="vectors of pixel_pca were replaced meanwhile"):
            run()
        assert not own.one("select count(*) from results.current_runs where seed = 5")
    else:
        run()
        features = [int(re.findall(r"x (\d+) features", line)[0]) for line in lines[1:]]
        assert features == [image, image - 1 + text]


def test_an_arm_whose_encoder_has_not_run_says_so(own: Bench) -> None:
    done = own.charthouse("predict", "--arm", "structured[moment]")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "charthouse: moment has not encoded this cohort. Run charthouse embed --encoder moment."
    )
    write(own, "delete from embeddings.tfidf_svd where stay_id ="
               " (select min(stay_id) from embeddings.tfidf_svd)")  # fmt: skip
    done = own.charthouse("predict", "--arm", f"{BEST}+text[tfidf_svd]")
    assert "tfidf_svd has only for" in done.stderr


def test_a_dry_run_writes_nothing(own: Bench) -> None:
    before = own.contents()
    best = ("--arm", "structured[best]+text[tfidf_svd]")
    done = own.charthouse("predict", "--dry-run", "--seed", "5")
    assert "would be fitted" in done.stdout, done.stderr
    done = own.charthouse("predict", "--dry-run", "--seed", "5", *best)
    assert done.returncode == 1 and "no time-series baseline" in done.stderr.splitlines()[-1]
    assert own.contents() == before


def test_a_killed_run_keeps_whole_arms_only(own: Bench) -> None:
    process = own.start_charthouse("predict", *OF_BOTH, "--seed", "9")
    deadline = time.monotonic() + 120
    finished = "select count(*) from results.current_runs where seed = 9"
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if own.one(finished):
                break
        except duckdb.IOException:  # the job is writing
            pass
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    scored = own.sql(
        "select runs.run_id, finished_at is not null, count(stay_id)"
        " from results.runs left join results.predictions using (run_id)"
        " where kind = 'predict' and seed = 9 group by all"
    )
    everyone = own.one("select count(*) from marts.cohort")
    assert {(done, n) for _, done, n in scored} <= {(True, everyone), (False, 0)}
    assert any(done for _, done, _ in scored)
    again = own.charthouse("predict", *OF_BOTH, "--seed", "9")
    assert again.returncode == 0, again.stderr
    assert "kept (predict-" in again.stdout
    assert own.one(finished) == 14


def fill_free_blocks(bench: Bench) -> None:
    """What the file keeps free would be written to on a disk that is full."""
    with duckdb.connect(str(bench.warehouse)) as db:
        ((free, size),) = db.execute(
            "select free_blocks, block_size from pragma_database_size()"
        ).fetchall()
        db.execute("create table main.filler as select uuid() from range(?)", [free * size // 16])


@needs_root
def test_a_full_disk_is_one_line_and_keeps_whole_arms(own: Bench, tmp_path: Path) -> None:
    arms = ["structured[fixed_interval]", "structured[summary]"]
    options = PredictRequest(arms=arms, tasks=["in_hospital_mortality"], seed=9)
    watch = nullcontext(lambda done, total: None)
    of_seed = (
        "select count(stay_id) from results.runs left join results.predictions using (run_id)"
        " where kind = 'predict' and seed = 9 and finished_at is {} null group by run_id"
    )
    everyone = own.one("select count(*) from marts.cohort")
    fill_free_blocks(own)
    with small_disk(tmp_path, own.warehouse.stat().st_size + 4_000_000) as small:
        full = Bench(own.raw, Path(shutil.copy(own.warehouse, small)), tmp_path)

        def run() -> None:
            predict(PROJECT, full.warehouse, options, say=print, watch=lambda *_: watch)

        for room in (0, 30_000):
            filler = fill(small, but=room)
            with pytest.raises(CharthouseError, match=r"cannot be written \(no space left on its"):
                run()
            filler.unlink()
            assert not any(n for (n,) in full.sql(of_seed.format("")))
        run()
        assert full.sql(of_seed.format("not")) == [(everyone,), (everyone,)]


def test_the_papers_protocol_fits_on_validation_too_and_has_no_indicators(own: Bench) -> None:
    assert own.build(*UNTESTED, "--vars", "{protocol: paper}").code == 0
    embed(own, "demographics", "fixed_interval", "pixel_pca")
    done = own.charthouse("predict", "--arm", f"{BEST}+image[pixel_pca]",
                          "--task", "in_hospital_mortality")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert own.sql("select arm, fusion from reports.arms") == [
        (f"{BEST}+image[pixel_pca]", "concatenate")
    ]
    run = "run_id = (select run_id from reports.arms)"
    assert own.sql(
        f"select distinct split, out_of_fold from results.predictions where {run} order by split"
    ) == [("test", False), ("train", True), ("validation", True)]
    assert own.one(
        f"select count(*) from results.coefficients where {run} and modality = 'presence'"
    ) == 0  # fmt: skip

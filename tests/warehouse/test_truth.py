"""The planted signal is found, and none is found where none was planted.

8,000 synthetic stays; SYNTHETIC.json says how well the best possible score does from what each
modality shows (oracle_auroc).
"""

import json
import shutil
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from bench import UNTESTED, Bench, roots_of
from charthouse.synth.mimic import write_synthetic_mimic

pytestmark = pytest.mark.slow

STRUCTURED = "structured[summary]"
ARMS = {
    "vitals": STRUCTURED,
    "vitals+image": f"{STRUCTURED}+image[pixel_pca]",
    "vitals+text": f"{STRUCTURED}+text[tfidf_svd]",
    "vitals+image+text": f"{STRUCTURED}+image[pixel_pca]+text[tfidf_svd]",
}
TASKS = ("icu_stay_over_3_days", "in_hospital_mortality")  # those whose best score is known
FUSION = "late"  # of plain encoders' many numbers it loses least on a cohort of this size


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, dict]:
    """Every arm by late fusion, evaluated; and the truth."""
    folder = tmp_path_factory.mktemp("truth")
    write_synthetic_mimic(folder / "data", stays=8000, seed=3, rows_per_stay=400, image_pixels=64)
    bench = Bench(roots_of(folder / "data"), folder / "warehouse.duckdb", folder)
    assert bench.build(*UNTESTED).code == 0
    encoders = ("demographics", "summary", "tfidf_svd", "pixel_pca")
    run(bench, "embed", *(word for name in encoders for word in ("--encoder", name)))
    predict(bench, *(word for task in TASKS for word in ("--task", task)))
    return bench, json.loads((folder / "data/SYNTHETIC.json").read_text())["oracle_auroc"]


def run(bench: Bench, *command: str) -> None:
    done = bench.charthouse(*command)
    assert done.returncode == 0, done.stderr


def predict(bench: Bench, *task: str) -> None:
    arms = (word for arm in ARMS.values() for word in ("--arm", arm))
    run(bench, "predict", "--fusion", FUSION, *arms, *task)
    run(bench, "evaluate", "--bootstraps", "500", *task)


def gains(bench: Bench, question: str) -> dict[tuple[str, str], tuple[float, float, float]]:
    """(task, larger arm) to the AUROC gained over the structured arm, and its interval."""
    return {
        (task, arm): (difference, low, high)
        for task, arm, difference, low, high in bench.sql(
            "select task, arm, difference, ci_low, ci_high from reports.comparisons"
            f" where question = '{question}' and other_arm = '{STRUCTURED}' and metric = 'auroc'"
            " and population = 'all'"
        )
    }


def test_no_arm_does_better_than_the_best_possible_score(world: tuple[Bench, dict]) -> None:
    bench, oracle = world
    for task, arm, low in bench.sql(
        "select task, arm, auroc_low from reports.leaderboard where run_id is not null"
        " and population = 'all'"
    ):
        name = next(name for name, known in ARMS.items() if known == arm)
        assert low < oracle[task][name], (task, arm)


def test_modalities_that_carry_signal_are_seen_to_add_it(world: tuple[Bench, dict]) -> None:
    """From raw files to an interval above zero; the best possible gain is oracle_auroc's.

    At this size only the larger gains exceed the width of their interval. A fifth of the stays
    have an image, so that its gain alone is only found to be possible.
    """
    bench, oracle = world
    found = gains(bench, "adds image") | gains(bench, "adds text")
    found |= gains(bench, "adds image and text")
    for task, name, is_seen in (
        ("in_hospital_mortality", "vitals+text", True),
        ("in_hospital_mortality", "vitals+image+text", True),
        ("icu_stay_over_3_days", "vitals+image+text", True),
        ("in_hospital_mortality", "vitals+image", False),
        ("icu_stay_over_3_days", "vitals+image", False),
        ("icu_stay_over_3_days", "vitals+text", False),
    ):
        _, low, high = found[task, ARMS[name]]
        best = oracle[task][name] - oracle[task]["vitals"]
        assert low < best and high > 0 and (low > 0 or not is_seen), (task, name)


def test_a_planted_gain_is_measured_as_planted_and_noise_adds_nothing(
    world: tuple[Bench, dict], tmp_path: Path
) -> None:
    """Vectors of one number that counts among many that do not, and images that are noise."""
    bench, _ = world
    shutil.copy(bench.warehouse, tmp_path / "warehouse.duckdb")
    own = Bench(bench.raw, tmp_path / "warehouse.duckdb", tmp_path)
    rng = np.random.default_rng(0)
    with duckdb.connect(str(own.warehouse)) as database:
        counts = {name: replace_by_noise(database, name, rng)
                  for name in ("summary", "tfidf_svd", "pixel_pca")}  # fmt: skip
        cohort = database.execute("select stay_id, split from marts.cohort order by 1").fetchall()
        vitals, text = (
            np.array([counts[name].get(stay_id, 0.0) for stay_id, _ in cohort])
            for name in ("summary", "tfidf_svd")
        )
        log_odds = -2 + vitals + 0.9 * text
        label = rng.random(len(cohort)) < 1 / (1 + np.exp(-log_odds))
        labels = pa.table({"stay_id": [stay_id for stay_id, _ in cohort], "y": label.astype(int)})
        database.register("planted", labels)
        database.execute("update marts.labels set label = planted.y from planted"
                         " where labels.stay_id = planted.stay_id")  # fmt: skip
    predict(own, "--task", "in_hospital_mortality")
    test = np.array([split == "test" for _, split in cohort])
    planted = roc_auc_score(label[test], log_odds[test]) - roc_auc_score(label[test], vitals[test])
    assert planted > 0.05
    key = ("in_hospital_mortality", ARMS["vitals+text"])
    gain, low, high = gains(own, "adds text")[key]
    assert 0 < low < planted < high
    assert gain == pytest.approx(planted, abs=0.015)
    gain, low, high = gains(own, "adds image")["in_hospital_mortality", ARMS["vitals+image"]]
    assert low <= 0 <= high
    assert abs(gain) < 0.01


def replace_by_noise(
    database: duckdb.DuckDBPyConnection, encoder: str, rng: np.random.Generator
) -> dict[int, float]:
    """Gives every vector of an encoder other numbers; the first of each, by stay."""
    stay_ids, length = database.execute(
        "select list(stay_id order by stay_id), any_value(len(embedding))"
        f" from embeddings.{encoder}"
    ).fetchall()[0]
    vectors = rng.standard_normal((len(stay_ids), length), dtype=np.float32)
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), length)
    database.register("noise", pa.table({"stay_id": stay_ids, "vector": column}))
    database.execute(
        f"update embeddings.{encoder} as e set embedding = noise.vector, input_hash = 'planted'"
        " from noise where e.stay_id = noise.stay_id"
    )
    database.unregister("noise")
    return dict(zip(stay_ids, vectors[:, 0].tolist(), strict=True))

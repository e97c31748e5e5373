"""Classical encoders: learned on what they are given, the same to the bit in any company."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from PIL import Image as Pillow
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from threadpoolctl import threadpool_info, threadpool_limits

from charthouse.core.errors import CharthouseError
from charthouse.data.xray_files import Unreadable, read_grayscale
from charthouse.jobs.embed.inputs import READERS
from charthouse.models.encoders import item_pca, pixel_pca, term_svd
from charthouse.models.encoders.base import Image, NothingToFit, Report, Stay
from charthouse.models.encoders.demographics import Demographics
from charthouse.models.encoders.fixed_interval import FixedInterval
from charthouse.models.encoders.moment import Moment, is_charted
from charthouse.models.encoders.pixel_pca import PixelPca
from charthouse.models.encoders.registry import unsuited, why_not_ready
from charthouse.models.encoders.summary import Summary
from charthouse.models.encoders.tfidf_svd import TfidfSvd
from encoding import (
    assert_fit_ignores_order,
    assert_same_in_any_company,
    by_stay,
    context,
    fitted,
    stays,
)

TABULAR = (("age", "numeric"), ("gender", "categorical"), ("insurance", "categorical"))


# demographics


def make_demographics() -> Demographics:
    return Demographics(context("demographics", columns=TABULAR))


def people() -> list[Stay]:
    return stays(
        [
            ("40", "M", "Medicare"),
            ("60", "F", "Other"),
            ("80", "F", "Medicaid"),
            (None, "F", "Medicare"),
            ("60.0", "M", None),
            ("60", "F", "Medicare"),
        ]
    )


def test_demographics_are_standardised_and_one_hot() -> None:
    encoder = make_demographics()
    learned = encoder.fit(people())
    assert learned["columns"].tolist() == [
        "age",
        "gender=F",  # M is rarer
        "gender unseen",
        "insurance=Medicaid",  # as rare as Other and (missing), which comes first
        "insurance=Medicare",
        "insurance=Other",
        "insurance unseen",
    ]
    assert learned["dropped"].tolist() == ["gender=M", "insurance=(missing)"]
    encoder.restore(learned)
    found = encoder.encode(people())
    sd = np.sqrt((20**2 + 20**2) / 5)
    np.testing.assert_allclose(
        found.vectors,
        [
            [-20 / sd, 0, 0, 0, 1, 0, 0],
            [0, 1, 0, 0, 0, 1, 0],
            [20 / sd, 1, 0, 1, 0, 0, 0],
            [0, 1, 0, 0, 1, 0, 0],  # age missing: the mean
            [0, 0, 0, 0, 0, 0, 0],  # the most ordinary of all
            [0, 1, 0, 0, 1, 0, 0],
        ],
        rtol=1e-6,
    )


def test_a_missing_value_is_another_input_than_an_empty_one() -> None:
    of = context("demographics", columns=(("gender", "categorical"),))
    with duckdb.connect() as db:
        db.execute("create schema marts")
        db.execute("create table marts.cohort (stay_id int, gender varchar)")
        db.execute("insert into marts.cohort values (1, ''), (2, null), (3, null)")
        hashes = READERS["tabular"].hashes(db, of)
    assert hashes[1] != hashes[2] == hashes[3]


def test_unseen_category_is_a_column_of_its_own() -> None:
    encoder = fitted(make_demographics(), people())
    new = stays([("60", "X", "Private"), ("60", None, "Medicare")])
    np.testing.assert_array_equal(
        encoder.encode(new).vectors, [[0, 0, 1, 0, 0, 0, 1], [0, 0, 1, 0, 1, 0, 0]]
    )


def test_demographics_in_any_company_and_order() -> None:
    rng = np.random.default_rng(0)
    crowd = stays(
        [(str(age), *rng.choice(list("FMX"), 2)) for age in rng.normal(60, 20, 200).round(3)]
    )
    assert_same_in_any_company(fitted(make_demographics(), crowd), crowd)
    assert_fit_ignores_order(make_demographics, crowd)


def test_constant_or_missing_numbers_divide_nothing_by_zero() -> None:
    for ages in (["50", "50", "50"], [None, "nan", None]):
        train = stays([(age, "F", "Other") for age in ages])
        found = fitted(make_demographics(), train).encode(train)
        assert np.isfinite(found.vectors).all()
        assert found.vectors.shape == (3, 3)  # age, and two columns of the unseen


def test_text_in_a_numeric_variable_is_said_without_the_text() -> None:
    with pytest.raises(CharthouseError, match="age is numeric") as caught:
        make_demographics().fit(stays([("Jane Doe", "F", "Other")]))
    assert "Jane" not in str(caught.value)
    with pytest.raises(NothingToFit):
        make_demographics().fit([])


# fixed interval


def test_grid_is_laid_out_variable_by_variable() -> None:
    encoder = FixedInterval(context("fixed_interval", channels=("a", "b"), bins=3))
    grids = stays([np.arange(6, dtype=np.float32).reshape(2, 3) + n for n in range(4)])
    assert encoder.dimension() == 6
    np.testing.assert_array_equal(encoder.encode(grids).vectors[1], [1, 2, 3, 4, 5, 6])
    assert_same_in_any_company(encoder, grids)


def test_gap_in_the_grid_names_the_setting() -> None:
    encoder = FixedInterval(context("fixed_interval", variables={"imputation": "none"}))
    grid = np.array([[1, np.nan]], np.float32)
    with pytest.raises(CharthouseError, match="setting imputation: none") as caught:
        encoder.encode(stays([grid]))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["fixed_interval", "moment"])
def test_a_cohort_whose_grid_has_gaps_is_refused_beforehand(name: str) -> None:
    refusal = why_not_ready(context(name, variables={"imputation": "none"}))
    assert refusal and refusal.startswith("marts.vitals_hourly has gaps (setting imputation: none)")
    assert refusal.endswith("set imputation to forward and run charthouse build, or use summary.")


@pytest.mark.parametrize("name", ["fixed_interval", "summary"])
def test_any_other_is_ready(name: str) -> None:
    imputation = "none" if name == "summary" else "forward_backward"
    assert why_not_ready(context(name, variables={"imputation": imputation})) is None


# summary statistics


def make_summary() -> Summary:
    return Summary(context("summary", channels=("a", "b")))


def summaries() -> list[Stay]:
    """Two vital signs; one was measured once, one never."""
    never = [np.nan] * 7
    rows = [
        [3, 80, 2, 78, 82, 78, 82, 1, 36, np.nan, 36, 36, 36, 36],
        [5, 90, 4, 85, 95, 85, 95, *never],
        [4, 70, 6, 65, 75, 75, 65, 2, 38, 1, 37, 39, 37, 39],
        [*never, 9, 40, 3, 36, 41, 36, 41],
    ]
    return stays(list(np.array(rows, np.float32)))


def test_gaps_are_filled_by_train_medians_and_standardised() -> None:
    encoder = make_summary()
    learned = encoder.fit(summaries())
    np.testing.assert_allclose(
        learned["median"], [3.5, 80, 4, 78, 82, 78, 82, 1.5, 38, 1, 36, 39, 36, 39]
    )
    encoder = fitted(make_summary(), summaries())
    found = encoder.encode(summaries()).vectors
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(found.std(axis=0), 1, rtol=1e-6)
    undone = found * learned["sd"] + learned["mean"]
    assert undone[0, 9] == pytest.approx(0, abs=1e-6)  # sd of a single value
    assert undone[1, 7:] == pytest.approx([0, 38, 1, 36, 39, 36, 39], abs=1e-5)  # never measured
    np.testing.assert_allclose(undone[2], summaries()[2].content, rtol=1e-5)


def test_summary_of_what_the_train_split_never_measured() -> None:
    train = [
        Stay(s.stay_id, 0, "train", np.where(np.arange(14) < 7, s.content, np.nan))
        for s in summaries()
    ]
    found = fitted(make_summary(), train).encode(summaries())
    assert np.isfinite(found.vectors).all()


def test_summary_in_any_company_and_order() -> None:
    assert_same_in_any_company(fitted(make_summary(), summaries()), summaries())
    assert_fit_ignores_order(make_summary, summaries())
    with pytest.raises(NothingToFit):
        make_summary().fit([])


# what is given, and ends

GROUPS = ("insulin", "vasopressors")


def given() -> duckdb.DuckDBPyConnection:
    """Two stays of the cohort with a grid of four bins; a third one was given nothing."""
    db = duckdb.connect()
    db.execute("create schema marts")
    db.execute("create table marts.medications_events (stay_id int, hours double, value double)")
    db.execute(
        "create table marts.medications_hourly (stay_id int, variable varchar, hour int, value"
        " double)"
    )
    rates = {(1, "vasopressors"): [0.2, 0.4, 0, 0], (2, "insulin"): [0, 0, 0, 5]}
    for stay_id in (1, 2, 3):
        for variable in GROUPS:
            for hour, value in enumerate(rates.get((stay_id, variable), [0, 0, 0, 0])):
                db.execute(
                    "insert into marts.medications_hourly values (?, ?, ?, ?)",
                    [stay_id, variable, hour, value],
                )
    db.execute(
        "create table marts.stay_modalities as select * from (values (1, 'medications', true),"
        " (2, 'medications', true), (3, 'medications', false)) as t(stay_id, modality, in_window)"
    )
    return db


def test_a_summary_of_what_ends_is_of_the_bins() -> None:
    of = context("summary__medications", channels=GROUPS, bins=4)
    reader = READERS["summary"]
    with given() as db:
        hashes = reader.hashes(db, of)
        found = reader.read(db, of, [1, 2, 3])
        db.execute("update marts.medications_hourly set value = 0.1 where stay_id = 1 and hour = 3"
                   " and variable = 'vasopressors'")  # fmt: skip
        later = reader.hashes(db, of)
    nothing = [0, 0, 0, 0, 0, 0, 0]
    sd = np.std([0.2, 0.4, 0, 0], ddof=1)
    np.testing.assert_allclose(found[1], [*nothing, 2, 0.15, sd, 0, 0.4, 0.2, 0], rtol=1e-6)
    np.testing.assert_allclose(found[2], [1, 1.25, 2.5, 0, 5, 0, 5, *nothing], rtol=1e-6)
    assert hashes.keys() == {1, 2}  # of a stay that was given nothing there is nothing to encode
    assert later[1] != hashes[1] and later[2] == hashes[2]


def test_a_single_bin_has_no_spread() -> None:
    of = context("summary__medications", channels=GROUPS, bins=1)
    with given() as db:
        db.execute("delete from marts.medications_hourly where hour > 0")
        found = READERS["summary"].read(db, of, [1])[1]
    np.testing.assert_allclose(found, [0] * 7 + [1, 0.2, 0, 0.2, 0.2, 0.2, 0.2], rtol=1e-6)


def test_what_reads_events_is_not_for_what_ends() -> None:
    variables = {"window_start_hours": 0, "window_end_hours": 24}
    refusal = why_not_ready(context("gru__medications", variables=variables))
    assert refusal and "would not see that one of marts.medications_events ended" in refusal
    assert "\n" not in refusal
    assert why_not_ready(context("gru__labs", variables=variables)) is None


def test_what_ends_has_no_gaps() -> None:
    none = {"imputation": "none", "moment_input": "charted"}
    of = context("moment__medications", variables=none, channels=GROUPS)
    assert unsuited(Moment, of) is None
    assert not is_charted(of) and is_charted(context("moment", variables=none))
    assert why_not_ready(context("fixed_interval__medications", variables=none)) is None


# TF-IDF and SVD

TEXT = """
heart lungs clear effusion pneumonia tube line portable chest stable opacity edema normal size
silhouette unchanged bilateral mild moderate severe
"""
WORDS = TEXT.split()


def make_tfidf() -> TfidfSvd:
    return TfidfSvd(context("tfidf_svd"))


def with_reports(n: int = 60) -> list[Stay]:
    """Stays of one to three reports each, some words more frequent than others."""
    rng = np.random.default_rng(3)
    shares = np.arange(len(WORDS), 0, -1.0)
    made = []
    for stay in range(n):
        texts = [
            " ".join(rng.choice(WORDS, size=15, p=shares / shares.sum()))
            for _ in range(rng.integers(1, 4))
        ]
        made.append(tuple(Report(f"{stay}-{k}", float(k), text) for k, text in enumerate(texts)))
    return stays(made)


def note(*texts: str) -> Stay:
    return Stay(1, 1, "test", tuple(Report(str(n), 0.0, text) for n, text in enumerate(texts)))


class Reread:
    """Stays read anew each time they are gone through; knows how many are alive at once."""

    def __init__(self, made: Sequence[Stay]) -> None:
        self.made, self.alive, self.most, self.rounds = made, 0, 0, 0

    def __iter__(self) -> Iterator[Stay]:
        import weakref

        self.rounds += 1
        for stay in self.made:
            copy = Stay(stay.stay_id, stay.subject_id, stay.split, stay.content)
            self.alive += 1
            self.most = max(self.most, self.alive)
            weakref.finalize(copy, self.release)
            yield copy
            del copy

    def release(self) -> None:
        self.alive -= 1


def test_tfidf_is_that_of_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against its own vectorizer, on one report a stay: with several, no pair spans two of them."""
    monkeypatch.setattr(term_svd, "MAX_SHARE", 1.0)
    monkeypatch.setattr(term_svd, "MIN_STAYS", 2)
    made = [Stay(s.stay_id, 0, "train", s.content[:1]) for s in with_reports()]
    learned = make_tfidf().fit(made)
    reference = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    weights = reference.fit_transform([stay.content[0].text for stay in made])
    assert learned["vocabulary"].tolist() == reference.get_feature_names_out().tolist()
    np.testing.assert_allclose(learned["idf"], reference.idf_, rtol=1e-12)
    values = np.linalg.svd(weights.toarray(), compute_uv=False)[: len(learned["singular_values"])]
    np.testing.assert_allclose(learned["singular_values"], values, rtol=1e-6)


def test_tfidf_in_any_company_and_order() -> None:
    encoder = fitted(make_tfidf(), with_reports())
    assert_same_in_any_company(encoder, with_reports())
    vectors = encoder.encode(with_reports()).vectors
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
    learned, again = make_tfidf().fit(with_reports()), make_tfidf().fit(with_reports())
    for name, values in learned.items():
        np.testing.assert_array_equal(values, again[name])


def test_order_of_the_reports_does_not_count() -> None:
    encoder = fitted(make_tfidf(), with_reports())
    turned = [Stay(s.stay_id, 0, "test", s.content[::-1]) for s in with_reports()]
    assert by_stay(encoder.encode(turned)) == by_stay(encoder.encode(with_reports()))


def test_leaving_rare_terms_out_by_hash_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    learned = make_tfidf().fit(with_reports())
    monkeypatch.setattr(term_svd, "HASHES", 3)  # all terms collide: none is left out
    again = make_tfidf().fit(with_reports())
    for name, values in learned.items():
        np.testing.assert_array_equal(values, again[name])


def test_texts_are_not_held_while_fitting() -> None:
    source = Reread(with_reports(300))
    make_tfidf().fit(source)
    assert source.rounds == 2
    assert source.most <= 3


def test_numbers_and_underscores_are_no_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(term_svd, "MAX_SHARE", 1.0)
    text = "___ is a ___-year-old; 12 mm nodule on ___12/3, T2 Übersicht, dr___smith x"
    learned = make_tfidf().fit([note(text), note(text + " again")] * 3)
    words = {word for term in learned["vocabulary"].tolist() for word in term.split()}
    assert words == {
        "is", "year", "old", "mm", "nodule", "on", "übersicht", "dr", "smith", "again",
    }  # fmt: skip


def test_terms_of_nearly_all_or_very_few_stays_are_left_out() -> None:
    made = [
        note(f"findings {'rare ' * (n < 4)}{'common ' * (n % 2)}{'other ' * (n % 3 == 0)}")
        for n in range(200)
    ]
    assert make_tfidf().fit(made)["vocabulary"].tolist() == [
        "common", "common other", "findings common", "findings other", "other",
    ]  # fmt: skip


def test_stay_without_a_known_word_is_skipped_never_zero() -> None:
    encoder = fitted(make_tfidf(), with_reports())
    for unknown in (note("Quaquaqua 12 ___"), note(""), note()):
        found = encoder.encode([unknown, *with_reports(5)])
        assert [(s.stay_id, s.item, s.reason) for s in found.skipped] == [
            (1, None, "its reports have no word that the train split knows")
        ]
        assert len(found.vectors) == 5
    assert "Quaquaqua" not in repr(found)


@pytest.mark.parametrize("n", [1, 2, 5, 30])
def test_small_train_split_has_fewer_components(n: int) -> None:
    if n == 1:
        with pytest.raises(NothingToFit):
            make_tfidf().fit(with_reports(1))
        return
    learned = make_tfidf().fit(with_reports(n))
    assert 1 <= learned["components"].shape[1] <= n - 1
    assert learned["components"].shape[0] == len(learned["vocabulary"]) == len(learned["idf"])


@pytest.mark.parametrize("train", [[], [note("12 ___")], [note()], [note("same"), note("same")]])
def test_reports_without_anything_to_learn(train: list[Stay]) -> None:
    with pytest.raises(NothingToFit, match="train"):
        make_tfidf().fit(train)


# pixel PCA


def make_pca() -> PixelPca:
    return PixelPca(context("pixel_pca"))


def xrays(folder: Path, n: int, per_stay: int = 2, *, shape: tuple[int, int] = (90, 80)) -> list:
    """Stays of smooth random pictures, as JPGs of any shape."""
    rng = np.random.default_rng(5)
    images = []
    for number in range(n):
        small = Pillow.fromarray(rng.integers(0, 256, (6, 5), dtype=np.uint8))
        path = folder / f"dicom-{number}.jpg"
        small.resize(shape, Pillow.Resampling.BICUBIC).save(path, quality=95)
        images.append(Image(path.stem, path))
    return stays([tuple(images[k : k + per_stay]) for k in range(0, n, per_stay)])


def pixels_of(image: Image) -> np.ndarray:
    return np.asarray(read_grayscale(image.path, 64, fast=True), float).ravel() / 255


def test_pca_is_that_of_scikit_learn(tmp_path: Path) -> None:
    made = xrays(tmp_path, 20)
    images = [image for stay in made for image in stay.content]
    table = np.stack([pixels_of(image) for image in images])
    encoder = fitted(make_pca(), made)
    scores = PCA(svd_solver="full").fit_transform(table)[:, :19]
    found = np.stack([o for o in encoder.encode_items(images)])  # type: ignore[attr-defined]
    assert found.shape == (20, 19)  # of 20 pictures no more can be told apart
    np.testing.assert_allclose(np.abs(found), np.abs(scores), atol=1e-4)
    of_stays = encoder.encode(made).vectors
    np.testing.assert_allclose(of_stays, found.reshape(10, 2, 19).mean(axis=1), atol=1e-6)


def test_pca_in_any_company_and_order(tmp_path: Path) -> None:
    made = xrays(tmp_path, 80)
    encoder = fitted(make_pca(), made)
    assert encoder.encode(made).vectors.shape == (40, 64)
    assert_same_in_any_company(encoder, made)
    assert_fit_ignores_order(make_pca, made)
    components = make_pca().fit(made)["components"]
    largest = np.abs(components).argmax(axis=1)
    assert (components[np.arange(64), largest] > 0).all()


def test_both_ways_to_the_components_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixel_pca, "PIXELS", 16)  # 4,096 pixels' covariance would take 15 s
    made = xrays(tmp_path, 30)
    few = make_pca().fit(made)
    monkeypatch.setattr(item_pca, "MANY_ITEMS", 10)
    many = make_pca().fit(made)
    np.testing.assert_allclose(few["components"], many["components"], atol=1e-6)


def test_fit_takes_a_bounded_sample_that_no_order_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = xrays(tmp_path, 40)
    everything = make_pca().fit(made)
    monkeypatch.setattr(item_pca, "FIT_ITEMS", 15)
    assert_fit_ignores_order(make_pca, made)
    sample = make_pca().fit(made)
    assert sample["components"].shape == (14, 4096)
    assert not np.array_equal(sample["mean"], everything["mean"])
    twice = [*made, *(Stay(s.stay_id + 500, 0, "train", s.content) for s in made)]
    np.testing.assert_array_equal(make_pca().fit(twice)["mean"], sample["mean"])


def test_unreadable_images_are_left_out_with_their_reasons(tmp_path: Path) -> None:
    made = xrays(tmp_path, 12, per_stay=4)
    encoder = fitted(make_pca(), made)
    whole = encoder.encode(made)
    first = made[0].content
    first[1].path.unlink()
    first[2].path.write_bytes(first[2].path.read_bytes()[:900])
    for image in made[1].content:
        image.path.write_bytes(b"")
    found = encoder.encode(made)
    assert found.stay_ids.tolist() == [100, 102]
    assert by_stay(found)[102] == by_stay(whole)[102]
    assert [(s.stay_id, s.item, s.reason) for s in found.skipped[:2]] == [
        (100, "dicom-1", "the file is missing"),
        (100, "dicom-2", "the picture is damaged or cut short (OSError)"),
    ]
    assert (101, None) in [(s.stay_id, s.item) for s in found.skipped]
    assert len(found.skipped) == 2 + 4 + 1
    # and they spoil no fit
    learned = fitted(make_pca(), made).encode(made)
    assert learned.stay_ids.tolist() == [100, 102]


def test_too_few_or_equal_images_are_nothing_to_fit(tmp_path: Path) -> None:
    made = xrays(tmp_path, 2)
    images = made[0].content
    make_pca().fit(made)
    images[1].path.write_bytes(images[0].path.read_bytes())
    with pytest.raises(NothingToFit, match="the same picture"):
        make_pca().fit(made)
    images[1].path.unlink()
    with pytest.raises(NothingToFit, match="1 readable"):
        make_pca().fit(made)
    with pytest.raises(NothingToFit, match="0 readable"):
        make_pca().fit([])


@pytest.mark.parametrize("make", [make_tfidf, make_pca])
def test_number_of_threads_does_not_count(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen on large fits: with two threads the last digits of the components are others."""
    threads: list[int] = []

    def watched(fit: Any) -> Any:
        def wrapper(*arguments: Any) -> Any:
            threads.extend(
                library["num_threads"]
                for library in threadpool_info()
                if library["user_api"] == "blas"
            )
            return fit(*arguments)

        return wrapper

    for kind in (PCA, TruncatedSVD):
        monkeypatch.setattr(kind, "fit", watched(kind.fit))
    with threadpool_limits(2):
        make().fit(with_reports() if make is make_tfidf else xrays(tmp_path, 10))
    assert set(threads) == {1}


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (lambda path: None, "the file is missing"),
        (lambda path: path.write_bytes(b""), "the file is empty"),
        (lambda path: path.write_text("<html>403 Forbidden</html>"), "neither a JPEG nor a PNG"),
        (lambda path: path.mkdir(), "it is no regular file"),
        (
            lambda path: Pillow.fromarray(np.zeros((9, 9), np.uint16)).save(path, "png"),
            "do not have 8 bits",
        ),
        (lambda path: Pillow.new("L", (9, 9)).save(path, "bmp"), "neither a JPEG nor a PNG"),
    ],
)
def test_what_is_no_xray_has_a_reason_without_its_path(
    tmp_path: Path, write: Any, reason: str
) -> None:
    write(tmp_path / "p10000001.jpg")
    with pytest.raises(Unreadable, match=reason) as caught:
        read_grayscale(tmp_path / "p10000001.jpg", 64, fast=True)
    assert "p10000001" not in str(caught.value)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_xray_of_any_mode_is_gray(tmp_path: Path, mode: str) -> None:
    (stay,) = xrays(tmp_path, 1, shape=(300, 200))
    path = tmp_path / "other.jpg"
    gray = Pillow.open(stay.content[0].path)
    gray.convert(mode).save(path, quality=95)
    found = read_grayscale(path, 64, fast=True)
    assert (found.mode, found.size) == ("L", (64, 64))
    assert read_grayscale(path).size == (300, 200)
    as_gray = read_grayscale(stay.content[0].path, 64, fast=True)
    difference = np.asarray(found, float) - np.asarray(as_gray)
    assert np.abs(difference).mean() < 4

"""Fusions: what they gain from a modality, and what they never look at."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from bench import PROJECT
from charthouse.core.errors import CharthouseError
from charthouse.jobs.evaluate.attribution import Linear, absolute_contributions
from charthouse.models.fusions import gated
from charthouse.models.fusions.base import MODEL, Component, Fitting, Fused, Fusion
from charthouse.models.fusions.block import PRESENCE, Block
from charthouse.models.fusions.registry import fusion_names, make_fusion
from charthouse.stats.logistic import grid_search as grid_search

FUSIONS = ("concatenate", "concatenate_presence", "late", "gated")
FOLDS = 5


def block(modality: str, encoder: str, vectors: np.ndarray, present: np.ndarray) -> Block:
    """A block as read_block makes it: zeros where a stay has no vector."""
    return Block(
        modality=modality,
        encoder=encoder,
        names=tuple(f"{encoder} {place}" for place in range(vectors.shape[1])),
        vectors=np.where(present[:, None], vectors, 0).astype(np.float32),
        present=present,
    )


def bed(
    n: int = 700, seed: int = 0, image: float = 2.0, image_size: int = 10, image_share: float = 0.4
) -> Fitting:
    """Demographics, time series and images of stays, with what each says of the outcome.

    Args:
        n: Stays, of about 3 n / 4 patients; about 70 % are fitted on.
        seed: Of all that is random.
        image: How much an image says, in log odds for one deviation; nothing if 0.
        image_size: Numbers of an image's vector.
        image_share: Of the stays that have one.
    """
    rng = np.random.default_rng(seed)
    patients = 3 * n // 4
    patient = np.sort(
        np.concatenate([np.arange(patients), rng.integers(patients, size=n - patients)])
    )
    says = rng.normal(size=(n, 3))
    has_image = rng.random(n) < image_share
    log_odds = -0.5 + says @ [0.5, 0.9, 0] + has_image * image * says[:, 2]
    y_true = (rng.random(n) < 1 / (1 + np.exp(-log_odds))).astype(int)
    vectors = []
    for column, size in enumerate((3, 8, image_size)):
        direction = rng.normal(size=size)
        direction *= 2 / np.linalg.norm(direction)
        vectors.append(says[:, column, None] * direction + rng.normal(size=(n, size)))
    everywhere = np.ones(n, bool)
    fitted_on = (rng.random(patients) < 0.7)[patient]
    return Fitting(
        blocks=(
            block("demographics", "demographics", vectors[0], everywhere),
            block("vitals", "gru", vectors[1], everywhere),
            block("image", "swin", vectors[2], has_image),
        ),
        fitted_on=fitted_on,
        y_true=y_true,
        folds=np.where(fitted_on, rng.integers(FOLDS, size=patients)[patient], -1),
        seed=seed,
    )


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two epochs are enough to tell bits apart."""
    monkeypatch.setattr(gated, "EPOCHS", 2)


@cache
def fused(name: str, image: float = 2.0, blocks: int = 3) -> tuple[Fitting, Fused]:
    """What a fusion makes of the first blocks of a bed; fitted once for all tests."""
    fitting = bed(image=image)
    fitting = replace(fitting, blocks=fitting.blocks[:blocks])
    return fitting, make_fusion(PROJECT, name).fit(fitting)


def auroc(fitting: Fitting, found: Fused, rows: np.ndarray) -> float:
    return float(roc_auc_score(fitting.y_true[rows], found.y_score[rows]))


def model(found: Fused) -> Component:
    return next(component for component in found.components if component.name == MODEL)


def with_image(fitting: Fitting, **change: np.ndarray) -> Fitting:
    """The same, the image block changed."""
    *rest, image = fitting.blocks
    return replace(fitting, blocks=(*rest, replace(image, **change)))


# Every fusion


@pytest.mark.parametrize("name", FUSIONS)
def test_images_that_tell_help(name: str) -> None:
    fitting, everything = fused(name)
    _, structured = fused(name, blocks=2)
    for rows in (fitting.fitted_on, ~fitting.fitted_on):
        assert auroc(fitting, everything, rows) > auroc(fitting, structured, rows) + 0.02
    with_images = ~fitting.fitted_on & fitting.blocks[2].present
    gain = auroc(fitting, everything, with_images) - auroc(fitting, structured, with_images)
    assert gain > 0.08


@pytest.mark.parametrize("name", FUSIONS)
def test_images_that_tell_nothing_do_not(name: str) -> None:
    fitting, structured = fused(name, image=0.0, blocks=2)
    _, everything = fused(name, image=0.0)
    for rows in (fitting.fitted_on, ~fitting.fitted_on):
        gain = auroc(fitting, everything, rows) - auroc(fitting, structured, rows)
        assert -0.04 < gain < 0.02


@pytest.mark.parametrize("name", FUSIONS)
def test_scores_are_probabilities_of_every_stay(name: str) -> None:
    fitting, found = fused(name)
    assert found.y_score.dtype == np.float64
    assert found.y_score.shape == fitting.y_true.shape
    assert ((found.y_score > 0) & (found.y_score < 1)).all()
    observed = fitting.y_true[~fitting.fitted_on].mean()
    assert abs(found.y_score[~fitting.fitted_on].mean() - observed) < 0.08
    np.testing.assert_array_equal(model(found).fitted_on, fitting.fitted_on)


@pytest.mark.parametrize("name", FUSIONS)
def test_outcomes_of_other_stays_are_never_looked_at(name: str, short: None) -> None:
    fitting = bed(n=300)
    found = make_fusion(PROJECT, name).fit(fitting)
    flipped = np.where(fitting.fitted_on, fitting.y_true, 1 - fitting.y_true)
    again = make_fusion(PROJECT, name).fit(replace(fitting, y_true=flipped))
    np.testing.assert_array_equal(again.y_score, found.y_score)


@pytest.mark.parametrize("name", ["late", "gated"])
def test_vectors_of_stays_without_one_are_never_read(name: str, short: None) -> None:
    fitting = bed(n=300)
    found = make_fusion(PROJECT, name).fit(fitting)
    image = fitting.blocks[2]
    garbage = np.random.default_rng(1).normal(1e6, 1e6, image.vectors.shape).astype(np.float32)
    filled = np.where(image.present[:, None], image.vectors, garbage)
    again = make_fusion(PROJECT, name).fit(with_image(fitting, vectors=filled))
    np.testing.assert_array_equal(again.y_score, found.y_score)


# Concatenation


def test_concatenation_is_a_logistic_regression_on_zero_filled_vectors() -> None:
    fitting, found = fused("concatenate")
    fit = model(found).logistic
    assert fit is not None
    x = np.hstack([each.vectors for each in fitting.blocks]).astype(np.float64)

    def reference(rows: np.ndarray, scored: np.ndarray) -> np.ndarray:
        """Scikit-learn's scores, by a fit of other rows at the same penalty and C."""
        scaler = StandardScaler().fit(x[rows])
        regression = LogisticRegression(
            C=fit.choice.C or np.inf,
            l1_ratio=float(fit.choice.penalty == "l1"),
            solver="saga",
            tol=1e-7,
            max_iter=20_000,
            random_state=0,
        ).fit(scaler.transform(x[rows]), fitting.y_true[rows])
        return regression.predict_proba(scaler.transform(x[scored]))[:, 1]

    others = ~fitting.fitted_on
    expected = reference(fitting.fitted_on, others)
    np.testing.assert_allclose(found.y_score[others], expected, atol=1e-3)
    for fold in range(FOLDS):
        held_out = fitting.folds == fold
        expected = reference(fitting.fitted_on & ~held_out, held_out)
        np.testing.assert_allclose(found.y_score[held_out], expected, atol=1e-3)


def presence_bed() -> Fitting:
    """Two image encoders with the same stays, and reports of others."""
    fitting = bed(n=200)
    image = fitting.blocks[2]
    reports = np.random.default_rng(2).random(200) < 0.5
    return replace(
        fitting,
        blocks=(
            *fitting.blocks,
            block("image", "pixel_pca", 3 * image.vectors[:, :2] + 1, image.present),
            block("text", "radbert", image.vectors[:, :4] - 1, reports),
        ),
    )


def test_presence_is_told_once_of_what_is_not_everywhere() -> None:
    fitting = presence_bed()
    fusion = make_fusion(PROJECT, "concatenate_presence")
    columns = fusion.columns(fitting.blocks)
    told = [column for column in columns if column.modality == PRESENCE]
    assert [column.encoder for column in told] == ["swin", "radbert"]
    mean = np.arange(len(columns), dtype=np.float64)
    x = fusion.matrix(fitting.blocks, columns, mean)
    assert x.dtype == np.float32
    assert x.shape == (200, len(columns))
    plain = make_fusion(PROJECT, "concatenate")
    vectors = plain.matrix(fitting.blocks, plain.columns(fitting.blocks), mean)
    has = np.hstack(
        [np.repeat(each.present[:, None], len(each.names), axis=1) for each in fitting.blocks]
    )
    assert not vectors[~has].any()
    np.testing.assert_array_equal(x[:, :-2], np.where(has, vectors, mean[:-2]))
    np.testing.assert_array_equal(x[:, -2], fitting.blocks[2].present)
    np.testing.assert_array_equal(x[:, -1], fitting.blocks[4].present)
    assert columns[:-2] == plain.columns(fitting.blocks)


@pytest.mark.parametrize("name", ["concatenate", "concatenate_presence"])
def test_matrix_of_some_stays_has_the_columns_that_were_fitted(name: str) -> None:
    fitting = presence_bed()
    fusion = make_fusion(PROJECT, name)
    columns = fusion.columns(fitting.blocks)
    mean = np.zeros(len(columns))
    whole = fusion.matrix(fitting.blocks, columns, mean)
    # each of them has everything, so their own columns would lack every indicator
    rows = np.flatnonzero(np.all([each.present for each in fitting.blocks], axis=0))
    assert len(rows)
    some = [
        replace(each, vectors=each.vectors[rows], present=each.present[rows])
        for each in fitting.blocks
    ]
    np.testing.assert_array_equal(fusion.matrix(some, columns, mean), whole[rows])


def test_presence_alone_is_learned_from_the_indicator() -> None:
    fitting = bed(image=0.0)
    image = fitting.blocks[2]
    rng = np.random.default_rng(3)
    y_true = (rng.random(len(image.present)) < np.where(image.present, 0.8, 0.2)).astype(int)
    # vectors with no mean of their own, so zeros do not stand out along any line
    fitting = replace(fitting, y_true=y_true, blocks=(fitting.blocks[0], image))
    others = ~fitting.fitted_on
    without = make_fusion(PROJECT, "concatenate").fit(fitting)
    told = make_fusion(PROJECT, "concatenate_presence").fit(fitting)
    assert auroc(fitting, without, others) < 0.6
    assert auroc(fitting, told, others) > 0.7


@pytest.mark.parametrize("centre", [0.0, 5.0])
def test_what_having_a_picture_tells_is_never_told_by_its_numbers(centre: float) -> None:
    """Wherever the mean of an encoder's numbers lies: it is taken off before absence is zero."""
    rng = np.random.default_rng(4)
    n = 2000
    has_image = rng.random(n) < 0.3
    y_true = (rng.random(n) < np.where(has_image, 0.7, 0.2)).astype(int)
    fitted_on = np.arange(n) < 1400
    image = block("image", "swin", rng.normal(centre, 1.0, size=(n, 20)), has_image)
    ages = block("demographics", "demographics", rng.normal(size=(n, 2)), np.ones(n, bool))
    found = make_fusion(PROJECT, "concatenate_presence").fit(
        Fitting((ages, image), fitted_on, y_true, np.where(fitted_on, np.arange(n) % FOLDS, -1), 0)
    )
    component = model(found)
    fit = component.logistic
    assert fit is not None
    linear = Linear(component.columns, fit.coefficients / fit.sd, fit.mean, fit.intercept)
    x = make_fusion(PROJECT, "concatenate_presence").matrix(
        (ages, image), component.columns, fit.mean
    )
    contributions = linear.contributions(x)
    own = np.array([column.modality == "image" for column in component.columns])
    np.testing.assert_allclose(contributions[~has_image][:, own], 0, atol=1e-6)
    log_odds = linear.at_mean + contributions.sum(axis=1)
    np.testing.assert_allclose(1 / (1 + np.exp(-log_odds)), fit.scores(x), atol=1e-9)
    moved = dict(
        zip(
            linear.modalities,
            absolute_contributions(linear, x).by_method["net"].sum(axis=0),
            strict=True,
        )
    )
    assert moved["presence"] > 0.8 * sum(moved.values())
    assert moved["image"] < 0.1 * sum(moved.values())


# What no modality tells by itself


def test_gated_alone_finds_what_image_and_time_series_tell_together() -> None:
    """The outcome follows the product of what they show: a sum of anything about each is blind."""
    fitting = bed(n=1200, image=0.0, image_share=1.0, seed=1)
    rng = np.random.default_rng(1)
    shown = rng.normal(size=(2, 1200))
    demographics, *rest = fitting.blocks
    series, image = (
        replace(each, vectors=(each.vectors + 2 * of[:, None]).astype(np.float32))
        for each, of in zip(rest, shown, strict=True)
    )
    y_true = (rng.random(1200) < 1 / (1 + np.exp(-2 * shown[0] * shown[1]))).astype(int)
    fitting = replace(fitting, blocks=(demographics, series, image), y_true=y_true)
    found = {
        name: auroc(fitting, make_fusion(PROJECT, name).fit(fitting), ~fitting.fitted_on)
        for name in ("concatenate_presence", "late", "gated")
    }
    assert found.pop("gated") > 0.7
    assert all(value < 0.58 for value in found.values())


# Late fusion


def test_each_model_learns_from_the_stays_that_have_its_modality() -> None:
    fitting, found = fused("late")
    *heard, stacker = found.components
    assert [component.name for component in heard] == ["demographics", "gru", "swin"]
    for component, own in zip(heard, fitting.blocks, strict=True):
        np.testing.assert_array_equal(component.fitted_on, fitting.fitted_on & own.present)
        assert component.logistic is not None
        fitted = own.vectors[fitting.fitted_on & own.present].astype(np.float64)
        np.testing.assert_allclose(component.logistic.mean, fitted.mean(axis=0), atol=1e-6)
    assert stacker.name == MODEL
    assert [(column.modality, column.name) for column in stacker.columns] == [
        ("demographics", "logit of demographics"),
        ("vitals", "logit of gru"),
        ("image", "logit of swin"),
        (PRESENCE, "has swin"),
    ]


def test_the_stacker_never_hears_a_model_on_its_own_patients(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Outcomes are noise, and images have about as many numbers as there are stays with one."""
    weak = grid_search.GridPoint("l2", 10.0)
    monkeypatch.setattr(grid_search, "grid_search", partial(grid_search.grid_search, grid=[weak]))
    areas, coefficients = [], []
    for seed in range(8):
        fitting = bed(image=0.0, image_size=200, seed=seed)
        y_true = np.random.default_rng(1000 + seed).integers(2, size=len(fitting.y_true))
        fitting = replace(fitting, y_true=y_true, blocks=(fitting.blocks[0], fitting.blocks[2]))
        found = make_fusion(PROJECT, "late").fit(fitting)
        rows, image = fitting.fitted_on & fitting.blocks[1].present, found.components[1].logistic
        assert image is not None
        in_sample = image.scores(fitting.blocks[1].vectors[rows])
        assert roc_auc_score(y_true[rows], in_sample) > 0.99  # what it would hear, and trust
        areas.append(auroc(fitting, found, rows))
        stacker = model(found).logistic
        assert stacker is not None
        coefficients.append(stacker.coefficients[1])
    # about 200 stays each, so a single area is off by as much as 0.15
    assert abs(np.mean(areas) - 0.5) < 0.08
    assert max(areas) < 0.75
    assert abs(np.mean(coefficients)) < 0.3


# Gated fusion


def gated_of(fitting: Fitting) -> Fused:
    return make_fusion(PROJECT, "gated").fit(fitting)


@contextmanager
def threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def test_a_seed_gives_the_same_bits_whatever_threads_and_global_generator(short: None) -> None:
    fitting = bed(n=300)
    torch.manual_seed(123)  # no state that a fit leaves behind
    state = torch.random.get_rng_state()
    with threads(1):
        first = gated_of(fitting)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.rand(5)
    with threads(2):
        second = gated_of(fitting)
        assert torch.get_num_threads() == 2
    np.testing.assert_array_equal(second.y_score, first.y_score)
    other = gated_of(replace(fitting, seed=fitting.seed + 1))
    assert (other.y_score != first.y_score).all()


def test_scores_of_a_fold_come_from_the_network_that_took_no_step_on_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Other outcomes of a fold change every network but its own, if there is no epoch to choose."""
    monkeypatch.setattr(gated, "EPOCHS", 1)
    fitting = bed(n=300)
    found = gated_of(fitting)
    own = fitting.folds == 2
    again = gated_of(replace(fitting, y_true=np.where(own, 1 - fitting.y_true, fitting.y_true)))
    np.testing.assert_array_equal(again.y_score[own], found.y_score[own])
    assert (again.y_score[~own] != found.y_score[~own]).all()
    # nor does it know the scale of the vectors that it will score
    vectors = fitting.blocks[2].vectors.copy()
    stay = np.flatnonzero(own & fitting.blocks[2].present)[0]
    vectors[stay] *= 100
    again = gated_of(with_image(fitting, vectors=vectors))
    others = own & (np.arange(300) != stay)
    np.testing.assert_array_equal(again.y_score[others], found.y_score[others])


def test_the_model_says_how_it_was_trained() -> None:
    _, found = fused("gated")
    component = model(found)
    assert len(found.components) == 1
    assert component.features == 3 + 8 + 10
    assert FOLDS * (gated.PATIENCE + 1) <= component.iterations <= FOLDS * gated.EPOCHS
    assert component.converged == (component.reason is None)
    assert component.logistic is None


def test_running_out_of_epochs_is_no_convergence(short: None) -> None:
    component = model(gated_of(bed(n=200)))
    assert not component.converged
    assert component.reason == "stopped after 2 epochs"
    assert component.iterations == FOLDS * 2


def test_a_fold_of_one_class_has_no_network(short: None) -> None:
    fitting = bed(n=300)
    fitting = replace(fitting, y_true=np.where(fitting.folds == 3, 0, fitting.y_true))
    found = gated_of(fitting)
    np.testing.assert_array_equal(np.isnan(found.y_score), fitting.folds == 3)
    assert not model(found).converged
    assert "1 of 5 folds without both outcomes" in str(model(found).reason)


@pytest.mark.parametrize("case", ["one class", "one fold"])
def test_nothing_to_learn_is_said(case: str) -> None:
    fitting = bed(n=100)
    if case == "one class":
        fitting = replace(fitting, y_true=np.where(fitting.fitted_on, 0, fitting.y_true))
    else:
        fitting = replace(fitting, folds=np.where(fitting.fitted_on, 0, -1))
    with pytest.raises(CharthouseError, match=r"'gated' cannot learn .* Name another fusion"):
        gated_of(fitting)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_vector_that_is_not_finite_is_said(value: float) -> None:
    fitting = bed(n=100)
    image = fitting.blocks[2]
    vectors = image.vectors.copy()
    vectors[np.flatnonzero(image.present & ~fitting.fitted_on)[0], 0] = value
    with pytest.raises(CharthouseError, match="charthouse embed --encoder swin"):
        gated_of(with_image(fitting, vectors=vectors))


def test_a_batch_may_be_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 60 stays too, with one image among them, none of them left to score, and none else."""
    fitting = bed(n=68)
    rows = np.arange(68) < 66
    one_image = np.arange(68) == 5
    fitting = replace(
        with_image(fitting, present=one_image, vectors=fitting.blocks[2].vectors + np.float32(1)),
        fitted_on=rows,
        folds=np.where(rows, np.arange(68) % 2, -1),
    )
    sizes = []
    forward = gated.Network.forward

    def counted(
        self: gated.Network, vectors: list[torch.Tensor], seen: torch.Tensor
    ) -> torch.Tensor:
        sizes.append((self.training, len(seen)))
        return forward(self, vectors, seen)

    monkeypatch.setattr(gated.Network, "forward", counted)
    found = gated_of(fitting)
    assert (True, 1) in sizes  # 33 rows in batches of 16
    assert np.isfinite(found.y_score).all()

    everyone = replace(fitting, fitted_on=np.ones(68, bool), folds=np.arange(68) % 2)
    assert np.isfinite(gated_of(everyone).y_score).all()


def test_a_modality_of_no_fitted_stay_is_ignored(short: None) -> None:
    fitting = bed(n=300)
    elsewhere = fitting.blocks[2].present & ~fitting.fitted_on
    found = gated_of(with_image(fitting, present=elsewhere))
    without = gated_of(replace(fitting, blocks=fitting.blocks[:2]))
    assert model(found).features == 3 + 8
    np.testing.assert_array_equal(found.y_score, without.y_score)


def test_a_branch_that_a_network_never_trained_is_not_asked(short: None) -> None:
    """All images are of fold 1: its network met none, so it scores its stays as without any."""
    fitting = bed(n=300)
    of_fold = fitting.blocks[2].present & (fitting.folds == 1)
    vectors = fitting.blocks[2].vectors
    found = gated_of(with_image(fitting, present=of_fold))
    # turning the images round leaves mean and deviation as they are
    turned = vectors.copy()
    turned[of_fold] = np.roll(vectors[of_fold], 1, axis=0)
    again = gated_of(with_image(fitting, present=of_fold, vectors=turned))
    own = fitting.folds == 1
    np.testing.assert_array_equal(again.y_score[own], found.y_score[own])
    assert (again.y_score[~own] != found.y_score[~own]).any()


def test_an_arm_of_images_alone_gives_other_stays_the_prior() -> None:
    fitting = bed()
    image = fitting.blocks[2]
    rng = np.random.default_rng(5)
    y_true = np.where(image.present, fitting.y_true, rng.random(len(image.present)) < 0.15)
    fitting = replace(fitting, y_true=y_true, blocks=(image,))
    found = gated_of(fitting)
    absent = ~image.present & ~fitting.fitted_on
    prior = fitting.y_true[~image.present & fitting.fitted_on].mean()
    assert np.ptp(found.y_score[absent]) < 1e-6
    assert abs(found.y_score[absent].mean() - prior) < 0.1
    assert auroc(fitting, found, image.present & ~fitting.fitted_on) > 0.7


def test_what_is_hidden_leaves_something() -> None:
    has = torch.from_numpy(np.random.default_rng(6).random((20_000, 3)) < 0.7)
    hideable = torch.tensor([False, True, True])
    seen = gated._hidden_at_random(has, hideable)
    assert not (seen & ~has).any()
    assert torch.equal(seen.any(dim=1), has.any(dim=1))
    assert torch.equal(seen[:, 0], has[:, 0])
    among = has.all(dim=1)
    assert abs(1 - seen[among, 1].float().mean() - gated.HIDE) < 0.02
    lone = has[:, 1] & ~has[:, 0] & ~has[:, 2]
    assert seen[lone, 1].all()


def test_learning_without_some_modalities_prepares_for_their_absence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Time series are blurred images. Every fitted stay has an image, no other stay does."""
    fitting = bed(n=400, image=4.0, image_share=1.0)
    demographics, _, image = fitting.blocks
    blurred = image.vectors + np.random.default_rng(7).normal(size=image.vectors.shape)
    series = block("vitals", "gru", blurred, np.ones(len(blurred), bool))
    structured = gated_of(replace(fitting, blocks=(demographics, series)))
    dropped = replace(
        fitting,
        blocks=(demographics, series, replace(image, present=fitting.fitted_on)),
    )
    prepared = gated_of(dropped)
    monkeypatch.setattr(gated, "HIDE", 0.0)
    unprepared = gated_of(dropped)
    others = ~fitting.fitted_on
    assert auroc(fitting, prepared, others) > auroc(fitting, structured, others) - 0.03
    assert (prepared.y_score != unprepared.y_score).all()


# Registry


def test_every_fusion_of_the_seed_has_its_class() -> None:
    assert fusion_names(PROJECT) == list(FUSIONS)
    for name in fusion_names(PROJECT):
        fusion = make_fusion(PROJECT, name)
        assert isinstance(fusion, Fusion)
        assert type(fusion).__name__ == "".join(part.capitalize() for part in name.split("_"))


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("gatd", "Did you mean 'gated'?"),
        ("concatenate-presence", "Did you mean 'concatenate_presence'?"),
        ("xyz", "Known: concatenate, concatenate_presence, late, gated."),
    ],
)
def test_an_unknown_fusion_is_said(name: str, advice: str) -> None:
    with pytest.raises(CharthouseError) as error:
        make_fusion(PROJECT, name)
    assert str(error.value) == f"Unknown fusion '{name}'. {advice}"

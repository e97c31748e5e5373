"""The grid search beside scikit-learn's, its optimality conditions, and odd cohorts."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from charthouse.core.errors import CharthouseError
from charthouse.stats.logistic import problems
from charthouse.stats.logistic.grid_search import (
    PAPER_GRID,
    GridPoint,
    GridPointResult,
    LogisticFit,
    grid_search,
)
from charthouse.stats.metrics import compute_metrics

Cohort = tuple[np.ndarray, np.ndarray, np.ndarray]
NONE = GridPoint("none", None)


def cohort(n: int, dims: tuple[int, ...], rate: float = 0.12, seed: int = 0) -> Cohort:
    """x, y, folds: blocks of correlated features, the last often absent (0, with an indicator)."""
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(n, 12))
    blocks = []
    for number, dim in enumerate(dims):
        block = latent @ rng.normal(size=(12, dim)) / 3 + 0.7 * rng.normal(size=(n, dim))
        block = block * np.exp(rng.normal(size=dim)) + rng.normal(size=dim)
        if number and number == len(dims) - 1:
            present = rng.random(n) < 0.6
            block[~present] = 0
            blocks.append(present[:, None])
        blocks.append(block)
    seen = latent[:, :4].sum(axis=1) + rng.logistic(size=n)
    y = (seen > np.quantile(seen, 1 - rate)).astype(int)
    patient = rng.integers(n * 3 // 4, size=n)
    return np.hstack(blocks).astype(np.float32), y, rng.permutation(n)[patient] % 5


def by_sklearn(choice: GridPoint) -> Pipeline:
    """The same model, to a tight tolerance."""
    C = np.inf if choice.C is None else choice.C
    l1 = choice.penalty == "l1"
    model = LogisticRegression(
        C=C,
        l1_ratio=1 if l1 else 0,
        solver="saga" if l1 else "newton-cholesky",
        tol=1e-5 if l1 else 1e-9,
        max_iter=20_000,
        random_state=0,
    )
    return Pipeline([("scale", StandardScaler()), ("model", model)])


def auroc(y_true: np.ndarray, y_score: np.ndarray) -> float:
    return compute_metrics(y_true, y_score, 0.5, ("auroc",))["auroc"].value


def violation(fit: LogisticFit, x: np.ndarray, y: np.ndarray) -> float:
    """The largest KKT violation of the mean loss, in float64, from the definition."""
    z = (x.astype(np.float64) - fit.mean) / fit.sd
    error = 1 / (1 + np.exp(-(z @ fit.coefficients + fit.intercept))) - y
    gradient, w = z.T @ error / len(y), fit.coefficients
    bound = 0 if fit.choice.C is None else 1 / (fit.choice.C * len(y))
    if fit.choice.penalty == "l1":
        at_zero = np.maximum(np.abs(gradient) - bound, 0)
        broken = np.where(w == 0, at_zero, np.abs(gradient + bound * np.sign(w)))
    else:
        broken = np.abs(gradient + bound * w)
    return float(max(broken.max(), abs(error.mean())))


def only(cohort: Cohort, choice: GridPoint, **options: float) -> LogisticFit:
    return grid_search(*cohort, grid=(choice,), **options)


@pytest.fixture(params=["small", "few rows", "large"])
def size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How the cohort is treated: as a small one, in double precision; as one with few rows for each
    feature, besides each fit with its own curvature; or as one of MIMIC's size, in single."""
    if request.param == "few rows":
        monkeypatch.setattr(problems, "FEW", np.inf)
    if request.param == "large":
        monkeypatch.setattr(problems, "SMALL", 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dims", "seed", "size"),
    [((20, 24, 16), 0, "large"), ((30, 40), 1, "small")],
    indirect=["size"],
)
def test_same_choice_and_auroc_as_grid_search(dims: tuple[int, ...], seed: int, size: None) -> None:
    x, y, folds = cohort(2000, dims, seed=seed)
    x, y, folds, new_x, new_y = x[:1400], y[:1400], folds[:1400], x[1400:], y[1400:]
    fit = grid_search(x, y, folds)
    cv = [(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in range(5)]
    theirs = GridSearchCV(
        by_sklearn(NONE),
        [{"model": [by_sklearn(choice)["model"]]} for choice in PAPER_GRID],
        scoring="roc_auc",
        cv=cv,
    ).fit(x.astype(np.float64), y)
    assert fit.choice == PAPER_GRID[theirs.best_index_]
    for number, candidate in enumerate(fit.candidates):
        expected = [theirs.cv_results_[f"split{fold}_test_score"][number] for fold in range(5)]
        assert candidate.choice == PAPER_GRID[number] and candidate.converged
        assert candidate.fold_auroc == pytest.approx(expected, abs=1e-3)
        assert candidate.mean_auroc == pytest.approx(np.mean(expected), abs=1e-3)
    scores, expected_scores = fit.scores(new_x), theirs.predict_proba(new_x)[:, 1]
    assert auroc(new_y, scores) == pytest.approx(auroc(new_y, expected_scores), abs=1e-3)
    assert scores == pytest.approx(expected_scores, abs=2e-3)


@pytest.mark.usefixtures("size")
@pytest.mark.parametrize(
    "choice", [
        GridPoint("l1", 0.1), GridPoint("l1", 1.0), GridPoint("l2", 0.01), GridPoint("l2", 10.0),
        NONE,
    ], ids=str,
)  # fmt: skip
def test_coefficients_of_each_penalty(choice: GridPoint) -> None:
    data = x, y, _ = cohort(1500, (20, 30))
    fit = only(data, choice, tolerance=1e-7)
    theirs = by_sklearn(choice).fit(x.astype(np.float64), y)
    assert fit.coefficients == pytest.approx(theirs["model"].coef_[0], abs=2e-3)
    assert fit.intercept == pytest.approx(theirs["model"].intercept_[0], abs=2e-3)
    assert fit.mean == pytest.approx(theirs["scale"].mean_)
    assert fit.sd == pytest.approx(theirs["scale"].scale_)


@pytest.mark.usefixtures("size")
@pytest.mark.parametrize("choice", PAPER_GRID, ids=str)
def test_optimality_in_float64(choice: GridPoint) -> None:
    data = cohort(900, (20, 30), rate=0.34)
    fit = only(data, choice)
    assert fit.converged and fit.residual <= 1e-6
    assert violation(fit, data[0], data[1]) <= 2e-6
    moved = replace(fit, coefficients=fit.coefficients + 1e-3)
    assert violation(moved, data[0], data[1]) > 1e-5  # the check can fail


@pytest.mark.usefixtures("size")
@pytest.mark.parametrize(
    "choice", [
        GridPoint("l1", 0.1), GridPoint("l1", 10.0), GridPoint("l2", 0.01), GridPoint("l2", 10.0),
        NONE,
    ], ids=str,
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:The inner solver")  # scikit-learn's, of the constant column
def test_out_of_fold_is_a_model_without_that_fold(choice: GridPoint) -> None:
    x, y, folds = cohort(700, (10, 15))
    x[:, 3] = folds == 2  # constant in the fit without fold 2
    x[folds == 4, 5] *= 50  # a fold with a scale of its own
    fit = only((x, y, folds), choice)
    for fold in (2, 4):
        rest = folds != fold
        theirs = by_sklearn(choice).fit(x[rest].astype(np.float64), y[rest])
        expected = theirs.predict_proba(x[~rest].astype(np.float64))[:, 1]
        assert fit.out_of_fold[~rest] == pytest.approx(expected, abs=2e-3)
    wild = x.copy()
    rows = np.flatnonzero(folds == 0)
    wild[rows] = 100 * np.random.default_rng(0).normal(size=(len(rows), x.shape[1]))
    other = y.copy()
    other[rows] = 1 - y[rows]
    again, at_first = only((wild, other, folds), choice), fit.coefficients
    assert np.abs(again.coefficients - at_first).max() > 0.01  # the rows matter to the other fits
    rest = folds != 0
    theirs = by_sklearn(choice).fit(x[rest].astype(np.float64), y[rest])
    expected = theirs.predict_proba(wild[~rest].astype(np.float64))[:, 1]
    assert again.out_of_fold[~rest] == pytest.approx(expected, abs=5e-3)


@pytest.mark.usefixtures("size")
def test_constant_columns_get_no_coefficient() -> None:
    x, y, folds = cohort(600, (8, 8))
    x[:, 2], x[:, 5] = 0.1, 0
    for choice in (GridPoint("l1", 1.0), GridPoint("l2", 1.0), NONE):
        fit = only((x, y, folds), choice)
        assert fit.coefficients[[2, 5]].tolist() == [0, 0] and fit.sd[[2, 5]].tolist() == [1, 1]
        without = only((np.delete(x, [2, 5], axis=1), y, folds), choice)
        assert np.delete(fit.coefficients, [2, 5]) == pytest.approx(without.coefficients, abs=1e-4)


@pytest.mark.usefixtures("size")
def test_collinear_columns() -> None:
    x, y, folds = cohort(600, (8, 8))
    x = np.hstack([x, x[:, :3], 2 * x[:, 4:5] + 1])
    fit = grid_search(x, y, folds)
    assert all(candidate.converged for candidate in fit.candidates)
    for choice in (GridPoint("l1", 1.0), GridPoint("l2", 1.0), NONE):
        fit = only((x, y, folds), choice)
        theirs = by_sklearn(GridPoint("l2", 1e7) if choice is NONE else choice)  # NONE: singular
        expected = theirs.fit(x.astype(np.float64), y).predict_proba(x.astype(np.float64))[:, 1]
        assert fit.scores(x) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize(
    "choice", [GridPoint("l1", 0.1), GridPoint("l1", 10.0), GridPoint("l2", 1.0)], ids=str
)
def test_a_shared_curvature_leads_where_their_own_do(
    choice: GridPoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of one fold are unlike the others: the shared curvature is wrong for the fits."""
    x, y, folds = cohort(900, (20, 30), rate=0.34)
    x[folds == 0] *= 8
    shared = only((x, y, folds), choice)
    monkeypatch.setattr(problems, "FEW", np.inf)
    own = only((x, y, folds), choice)
    for fit in (shared, own):
        assert fit.converged and fit.candidates[0].converged and violation(fit, x, y) <= 2e-6
    assert shared.coefficients == pytest.approx(own.coefficients, abs=1e-4)
    assert shared.out_of_fold == pytest.approx(own.out_of_fold, abs=1e-4)


@pytest.mark.parametrize("C", [10.0, 100.0])
def test_more_features_than_rows_at_a_weak_l1_penalty(C: float) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 6)) @ rng.normal(size=(6, 100)) + 0.1 * rng.normal(size=(60, 100))
    data = x, y, _ = x.astype(np.float32), (rng.random(60) < 0.4).astype(int), np.arange(60) % 5
    choice = GridPoint("l1", C)
    fit = only(data, choice, tolerance=1e-8)
    both = grid_search(
        *data, grid=(GridPoint("l2", C), choice)
    )  # l1 begins where no coefficient is 0
    for candidate in (*fit.candidates, both.candidates[1]):
        assert candidate.converged and candidate.iterations <= 30
    assert violation(fit, x, y) <= 2e-6 and np.count_nonzero(fit.coefficients) < 60
    z = (x.astype(np.float64) - fit.mean) / fit.sd
    theirs = LogisticRegression(
        C=C,
        l1_ratio=1,
        solver="liblinear",
        tol=1e-10,
        max_iter=100_000,
        intercept_scaling=1e4,
        random_state=0,
    ).fit(z, y)

    def objective(coefficients: np.ndarray, intercept: float) -> float:
        margin = z @ coefficients + intercept
        return float(np.logaddexp(0, np.where(y, -margin, margin)).sum()
                     + np.abs(coefficients).sum() / C)  # fmt: skip

    expected = objective(theirs.coef_[0], theirs.intercept_[0])
    assert objective(fit.coefficients, fit.intercept) == pytest.approx(expected, rel=1e-6)


def test_separated_classes_are_said_and_finite() -> None:
    x, y, folds = cohort(200, (60, 300))
    fit = grid_search(x, y, folds)
    by_choice = {candidate.choice: candidate for candidate in fit.candidates}
    assert not by_choice[NONE].converged
    assert by_choice[NONE].reason == "the classes are separated"
    assert all(each.converged for choice, each in by_choice.items() if choice != NONE)
    unpenalised = only((x, y, folds), NONE)
    assert not unpenalised.converged and unpenalised.reason == "the classes are separated"
    assert unpenalised.iterations < 50 and np.isfinite(unpenalised.coefficients).all()
    scores = unpenalised.scores(x)
    assert auroc(y, scores) == 1 and scores.min() >= 0 and scores.max() <= 1


def test_a_fold_with_one_class_is_left_out() -> None:
    x, y, folds = cohort(82, (5, 6))
    y[:] = 0
    for fold, positives in ((0, 3), (1, 2), (2, 2), (4, 3)):
        y[np.flatnonzero(folds == fold)[:positives]] = 1
    fit = grid_search(x, y, folds)
    for candidate in fit.candidates:
        assert [np.isnan(value) for value in candidate.fold_auroc] == [
            False, False, False, True, False,
        ]  # fmt: skip
        assert candidate.mean_auroc == pytest.approx(np.nanmean(candidate.fold_auroc))
    assert np.isfinite(fit.out_of_fold).all()  # it was predicted, there is only no AUROC
    y = (folds == 3).astype(int)  # all positives in one fold: its model sees none
    y[np.flatnonzero(folds == 3)[0]] = 0
    with pytest.raises(CharthouseError, match="no fold"):
        grid_search(x, y, folds)


def test_a_fold_that_cannot_be_fitted() -> None:
    x, y, folds = cohort(120, (5, 6), rate=0.3)
    y[folds != 3] = 0
    y[np.flatnonzero(folds == 1)[:3]] = 1
    merged = np.where(folds == 1, 3, folds)
    with pytest.raises(CharthouseError, match="no fold"):
        grid_search(x, y, merged)
    fit = only((x, y, folds), GridPoint("l2", 0.1))
    assert np.isnan(fit.candidates[0].fold_auroc).tolist() == [True, False, True, False, True]


def test_folds_may_be_any_number() -> None:
    x, y, folds = cohort(400, (8,), rate=0.3)
    for count in (2, 9):
        fit = only((x, y, 100 + 7 * (np.arange(400) % count)), GridPoint("l2", 1.0))
        assert len(fit.candidates[0].fold_auroc) == count and fit.converged
    assert only((x, y, folds), GridPoint("l2", 1.0)).coefficients == pytest.approx(
        fit.coefficients, abs=1e-4
    )


@pytest.mark.usefixtures("size")
def test_row_order_does_not_matter_and_runs_repeat() -> None:
    x, y, folds = cohort(800, (20, 20))
    copy = x.copy()
    first, again = grid_search(x, y, folds), grid_search(x, y, folds)
    assert (x == copy).all()
    assert (first.coefficients == again.coefficients).all()
    assert (first.out_of_fold == again.out_of_fold).all()
    order = np.random.default_rng(1).permutation(len(y))
    shuffled = grid_search(x[order], y[order], folds[order])
    assert shuffled.choice == first.choice
    assert shuffled.coefficients == pytest.approx(first.coefficients, abs=1e-4)
    assert shuffled.out_of_fold == pytest.approx(first.out_of_fold[order], abs=1e-4)


@pytest.mark.parametrize("choice", [GridPoint("l1", 1.0), GridPoint("l2", 10.0), NONE], ids=str)
def test_too_few_iterations_are_said(choice: GridPoint) -> None:
    data = cohort(800, (20, 20))
    fit = only(data, choice, max_iterations=1)
    candidate: GridPointResult = fit.candidates[0]
    assert not fit.converged and fit.residual > 1e-6
    assert fit.reason == candidate.reason == "stopped after 1 iterations"
    assert not candidate.converged and candidate.iterations == 1


def test_ties_go_to_the_stronger_penalty() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(300) % 3 == 0
    x = np.where(y, 3, -3)[:, None] + rng.random((300, 1))  # every penalty ranks perfectly
    grid = (NONE, GridPoint("l2", 1.0), GridPoint("l2", 0.1), GridPoint("l1", 1.0))
    fit = grid_search(x.astype(np.float32), y.astype(int), np.arange(300) % 5, grid)
    assert [each.mean_auroc for each in fit.candidates] == [1, 1, 1, 1]
    assert fit.choice == GridPoint("l2", 0.1)


def test_scores_are_of_raw_features() -> None:
    x, y, folds = cohort(500, (6, 6))
    fit = only((x, y, folds), GridPoint("l2", 1.0))
    z = (x.astype(np.float64) - x.mean(axis=0, dtype=np.float64)) / x.astype(np.float64).std(axis=0)
    margin = z @ fit.coefficients + fit.intercept
    assert fit.scores(x) == pytest.approx(1 / (1 + np.exp(-margin)), abs=1e-9)
    assert fit.scores(x[:0]).shape == (0,)
    with pytest.raises(ValueError, match="shape"):
        fit.scores(x[:, :3])


def test_errors_say_what_is_wrong() -> None:
    x, y, folds = cohort(100, (6,))
    with pytest.raises(CharthouseError, match="all 100 rows are negative"):
        grid_search(x, np.zeros(100, dtype=int), folds)
    broken = x.copy()
    broken[7, 2] = np.nan
    with pytest.raises(CharthouseError, match="Feature 2 of row 7 is nan"):
        grid_search(broken, y, folds)
    for wrong in ((x[0], y, folds), (x, y[1:], folds), (x, y + 1, folds), (x, y, 0 * folds)):
        with pytest.raises(ValueError):
            grid_search(*wrong)
    with pytest.raises(ValueError):
        grid_search(x, y, folds, grid=())
    with pytest.raises(ValueError):
        GridPoint("l2", None)


def test_no_warnings() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        grid_search(*cohort(150, (10, 200)))

"""Grid search over C and penalty by cross-validated AUROC, and the fit of all rows at the best.

The objective is scikit-learn's: C times the sum of log losses, plus |w|_1 or |w|^2 / 2, on features
standardised by the mean and sd of each fit's own rows. The intercept is not penalised. The search
goes from the strongest penalty to none, and each point starts from its neighbour. All folds and the
fit of all rows are one batch, so the refit at the best point is already there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit
from threadpoolctl import threadpool_limits

from charthouse.core.errors import CharthouseError
from charthouse.stats.logistic.lasso import solve_lasso
from charthouse.stats.logistic.problems import CHUNK, SMALL, Curvature, FoldProblems
from charthouse.stats.logistic.ridge import solve_ridge
from charthouse.stats.logistic.solver import Fits, StoppingRule
from charthouse.stats.metrics import compute_metrics

PENALTIES = ("l1", "l2", "none")
WIDE = 1500  # columns from which Gram matrices take most of the time
TIE = 1e-6  # mean AUROCs this close are equal: less than rounding moves them


@dataclass(frozen=True)
class GridPoint:
    """A point of the grid: penalty and C."""

    penalty: str  # 'l1', 'l2', 'none'
    C: float | None  # None for none

    def __post_init__(self) -> None:
        if self.penalty not in PENALTIES or (self.C is None) != (self.penalty == "none"):
            raise ValueError(f"no such point of a grid: {self.penalty}, C = {self.C}")
        if self.C is not None and not 0 < self.C < np.inf:
            raise ValueError(f"C is {self.C}, not a positive number")

    @property
    def strength(self) -> float:
        """1 / C; 0 without a penalty."""
        return 0.0 if self.C is None else 1 / self.C


PAPER_GRID: tuple[GridPoint, ...] = (
    *(GridPoint(penalty, C) for C in (0.01, 0.1, 1.0, 10.0) for penalty in ("l1", "l2")),
    GridPoint("none", None),
)


@dataclass(frozen=True)
class GridPointResult:
    """Cross-validation of one grid point."""

    choice: GridPoint
    fold_auroc: tuple[float, ...]  # NaN where the held-out or the fit rows have one class only
    mean_auroc: float  # over the other folds
    converged: bool  # in every fold, and for the chosen point in the fit of all rows
    iterations: int  # the most that one of these fits took
    reason: str | None  # why not converged


@dataclass(frozen=True, eq=False)
class LogisticFit:
    """The fit of all rows at the chosen point, and how that point was chosen."""

    choice: GridPoint
    candidates: tuple[GridPointResult, ...]  # in the order of the grid
    mean: np.ndarray  # [p] float64, of the fit rows
    sd: np.ndarray  # [p] float64; 1 where a column is constant
    coefficients: np.ndarray  # [p] float64, of standardised features
    intercept: float  # of standardised features
    converged: bool  # of this fit; the candidates have those of the folds
    iterations: int
    residual: float  # the largest KKT violation of the mean loss
    reason: str | None  # why not converged
    out_of_fold: np.ndarray  # [n] probabilities of the fit rows, see grid_search

    def scores(self, x: np.ndarray) -> np.ndarray:
        """Probabilities of the positive class, computed in float64.

        Args:
            x: [m, p], raw features, not standardised.

        Returns:
            [m] float64.

        Raises:
            ValueError: These are not the features of the fit.
            CharthouseError: A feature is not a finite number.
        """
        if x.ndim != 2 or x.shape[1] != len(self.mean):
            raise ValueError(f"features have shape {x.shape}, not [m, {len(self.mean)}]")
        weights = self.coefficients / self.sd
        scores = np.empty(len(x))
        for first in range(0, len(x), CHUNK):
            rows = x[first : first + CHUNK]
            _check_finite(rows, first)
            scores[first : first + CHUNK] = expit((rows - self.mean) @ weights + self.intercept)
        return scores


def grid_search(
    x: np.ndarray,
    y: np.ndarray,
    folds: np.ndarray,
    grid: Sequence[GridPoint] = PAPER_GRID,
    *,
    tolerance: float = 1e-6,
    max_iterations: int = 200,
) -> LogisticFit:
    """Fits every grid point in every fold and on all rows, and chooses the best.

    The chosen point has the highest mean AUROC over the folds. Of equally good ones, the smallest C
    wins, and of the same C l1 before l2. Besides x it needs one copy of x and about (2 folds + 4)
    p^2 floats. BLAS gets one thread unless the search is large and wide: otherwise a second thread
    gains nothing, and on busy cores waits more than it works (20 times slower was seen).

    Args:
        x: [n, p], raw features, finite, preferably float32. Not changed.
        y: [n], 0 or 1.
        folds: [n] int, the fold whose model does not see that row; at least two folds. All rows of
            a patient belong in one fold.
        grid: Points, each once.
        tolerance: A fit has converged when no KKT condition of its mean log loss (plus penalty), on
            its own standardised features, is violated by more.
        max_iterations: Newton steps after which a fit counts as not converged. A fit without
            penalty whose classes are separated does not converge either: it stops where it first
            separates them.

    Returns:
        The fit of all rows. Its out_of_fold holds, for the chosen point, the probabilities from the
        model of the fold that did not see the row; NaN where that model's rows had one class.

    Raises:
        ValueError: Shapes, labels or the grid are not valid.
        CharthouseError: A feature is not finite; or in no fold do both parts have both classes.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x, folds = rng.normal(size=(200, 3)), np.arange(200) % 5
        >>> y = (x[:, 0] + rng.normal(size=200) > 0).astype(int)
        >>> fit = grid_search(x, y, folds)
        >>> fit.converged, int(np.abs(fit.coefficients).argmax())
        (True, 0)
        >>> fit.scores(x).shape
        (200,)
    """
    _check(x, y, folds, grid)
    one_thread = x.size <= SMALL or x.shape[1] < WIDE
    with threadpool_limits(1 if one_thread else None, user_api="blas"):
        return _search(x, y, folds, grid, StoppingRule(tolerance, max_iterations))


def _search(
    x: np.ndarray, y: np.ndarray, folds: np.ndarray, grid: Sequence[GridPoint], limits: StoppingRule
) -> LogisticFit:
    problems = FoldProblems.of(x, y, folds)
    lasso = ridge = null = Fits.intercept_only(problems)
    curvature = Curvature(problems)
    curvature.refresh(null.margins)
    found = {}
    for choice in sorted(grid, key=lambda point: (-point.strength, point.penalty == "l1")):
        if choice.penalty == "l1":
            starts = [lasso] if ridge is null else [lasso, ridge]
            fits = lasso = solve_lasso(problems, curvature, starts, choice.strength, limits)
        else:
            fits = ridge = solve_ridge(problems, curvature, ridge, choice.strength, limits)
        found[choice] = _evaluated(problems, choice, fits)
    candidates = {choice: fit.candidates[0] for choice, fit in found.items()}
    best = max(candidate.mean_auroc for candidate in candidates.values())
    if np.isnan(best):
        raise CharthouseError(
            f"No choice of C can be made: no fold of the {len(y):,} rows has stays of both classes "
            "within and without. Use a larger cohort, or fewer folds."
        )
    chosen = next(
        choice
        for choice in sorted(grid, key=_weaker)
        if candidates[choice].mean_auroc >= best - TIE
    )
    fit = found[chosen]
    if fit.reason and candidates[chosen].converged:
        candidates[chosen] = replace(candidates[chosen], converged=False, reason=fit.reason)
    return replace(fit, candidates=tuple(candidates[choice] for choice in grid))


def _evaluated(problems: FoldProblems, choice: GridPoint, fits: Fits) -> LogisticFit:
    """The fit of all rows at a point, which is its only candidate."""
    last = problems.last
    out_of_fold = np.full(len(problems.y), np.nan)
    auroc = np.full(last, np.nan)
    for fold in set(problems.possible) - {last}:
        rows = problems.held_out(fold)
        scores = expit(fits.margins[rows, fold])
        out_of_fold[problems.order[rows]] = scores
        auroc[fold] = compute_metrics(problems.y[rows], scores, 0.5, ("auroc",))["auroc"].value
    defined = auroc[~np.isnan(auroc)]
    reasons = [reason for fit, reason in sorted(fits.reasons.items()) if fit != last]
    candidate = GridPointResult(
        choice=choice,
        fold_auroc=tuple(auroc.tolist()),
        mean_auroc=float(np.mean(defined)) if defined.size else float("nan"),
        converged=not reasons,
        iterations=int(fits.iterations.max()),
        reason=reasons[0] if reasons else None,
    )
    mean, sd, v = problems.mean[:, last], problems.sd[:, last], fits.v[:, last].copy()
    shift = v[:-1] @ ((mean - problems.base_mean) / problems.base_sd)
    return LogisticFit(
        choice=choice,
        candidates=(candidate,),
        mean=mean.copy(),
        sd=np.where(sd > 0, sd, 1),
        coefficients=v[:-1] * problems.ratio[:-1, last],
        intercept=float(v[-1] + shift),
        converged=last not in fits.reasons,
        iterations=int(fits.iterations[last]),
        residual=float(fits.residual[last]),
        reason=fits.reasons.get(last),
        out_of_fold=out_of_fold,
    )


def _weaker(choice: GridPoint) -> tuple[float, int]:
    """Sorts points from the strongest penalty to none."""
    return -choice.strength, PENALTIES.index(choice.penalty)


def _check(x: np.ndarray, y: np.ndarray, folds: np.ndarray, grid: Sequence[GridPoint]) -> None:
    """Raises what grid_search documents."""
    if x.ndim != 2 or y.shape != x.shape[:1] or folds.shape != y.shape:
        raise ValueError(f"x {x.shape}, y {y.shape}, folds {folds.shape} are not [n, p], [n], [n]")
    if not grid or len(set(grid)) < len(grid):
        raise ValueError("a grid has points, each once")
    if not np.isin(y, (0, 1)).all():
        raise ValueError("labels are 0 or 1")
    if len(np.unique(folds)) < 2:
        raise ValueError("there is one fold only")
    if len(np.unique(y)) < 2:
        only = "positive" if y[0] else "negative"
        raise CharthouseError(
            f"No classifier can be fitted: all {len(y):,} rows are {only}. Use a larger cohort."
        )
    for first in range(0, len(x), CHUNK):
        _check_finite(x[first : first + CHUNK], first)


def _check_finite(rows: np.ndarray, first: int) -> None:
    """Of rows [c, p] of features, the first of them numbered first."""
    finite = np.isfinite(rows)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise CharthouseError(
            f"Feature {column} of row {first + row} is {rows[row, column]}: a classifier needs "
            "finite numbers. Impute it, or leave the row out."
        )

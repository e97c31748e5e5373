"""The grid search of the logistic regression: ours beside the best libraries for each penalty.

    pip install adelie && pip install --no-deps "numpy>=2"
    python benchmarks/logistic_against_libraries.py [--full] [--arms 1] [--saga]

adelie's coordinate descent along a path for l1 (Yang and Hastie 2024), scikit-learn's
newton-cholesky for l2 and without penalty, each point starting from the one before it, as ours
does. (adelie's wheel asks for an older numpy and runs with the newer: hence the second install.)
Both get the same folds and standardised float64 features in the order that they like, outside their
clock, and as many threads as ours has.

Synthetic embeddings: low-rank and correlated, columns of very different scale, pictures and
reports absent for a share of the rows (zeros, with an indicator). C in {0.01, 0.1, 1, 10} x {l1,
l2}, and no penalty once; five folds grouped by patient, and the refit at the chosen point.

By default 3,000 rows and 185 features, both sides whole. --full is the paper's size: 58,544 rows
and the features of an arm (--arms, by number; both prevalences for ours). There the libraries fit
one fold of the first arm, and their five folds are reckoned from it; the table says so. --saga also
fits one l1 point of that fold by scikit-learn's saga, its only solver for l1 at this size.

How exactly a side has solved is in the table: the largest violation of the optimality conditions of
the mean loss, computed from the definition in float64 (ours stops at 1e-6 in every fit).

Seconds are wall clock; CPU seconds are of both cores, which other programs disturb less.
"""

import argparse
import os
import resource
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from charthouse.stats.logistic.grid_search import PAPER_GRID, GridPoint, LogisticFit, grid_search
from charthouse.stats.logistic.problems import SMALL as SMALL_SEARCH

ROWS, FOLDS = 58_544, 5
MOST = 1000  # iterations of scikit-learn
TASKS = {"mortality": 0.11, "length of stay": 0.34}  # share of positives
# Static and demographic features, vital signs; then pictures; then reports.
ARMS: tuple[tuple[tuple[int, int], int, int], ...] = (
    ((60, 312), 0, 0),
    ((60, 1024), 0, 0),
    ((60, 1024), 0, 0),
    ((60, 1024), 1376, 0),
    ((60, 1024), 1024, 0),
    ((60, 1024), 0, 768),
    ((60, 1024), 0, 1024),
    ((60, 1024), 1376, 768),
    ((60, 1024), 1376, 1024),
    ((60, 1024), 1024, 768),
    ((60, 1024), 1024, 1024),
)
SMALL = ((25, 80), 40, 38)
CORES = os.cpu_count() or 1
ABSENT = {"image": 0.4, "text": 0.2}
LATENT = 48
HEAD = "| ours | features | s | CPU s | peak GB | choice | converged |\n" + "|---" * 7 + "|"


@dataclass(frozen=True)
class Seconds:
    wall: float
    cpu: float


class Clock:
    """Wall clock and CPU seconds since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> Seconds:
        return Seconds(time.perf_counter() - self._wall, time.process_time() - self._cpu)


def cohort(
    rows: int, arm: tuple[tuple[int, int], int, int], rate: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x [rows, p] float32, y and folds [rows]."""
    rng = np.random.default_rng(0)
    (static, vitals), image, text = arm
    dims = [(static, 0.0), (vitals, 0.0), (image, ABSENT["image"]), (text, ABSENT["text"])]
    dims = [(dim, absent) for dim, absent in dims if dim]
    x = np.empty((rows, sum(dim + (absent > 0) for dim, absent in dims)), dtype=np.float32)
    weight = (1 / np.sqrt(1 + np.arange(LATENT))).astype(np.float32)
    latent = rng.standard_normal((rows, LATENT), dtype=np.float32)
    at = 0
    for dim, absent in dims:
        own = rng.standard_normal((rows, dim // 4 + 1), dtype=np.float32)
        decay = (1 / np.sqrt(1 + np.arange(own.shape[1]))).astype(np.float32)
        block = x[:, at : at + dim]
        block[:] = rng.standard_normal((rows, dim), dtype=np.float32) * np.float32(0.3)
        block += latent @ (weight[:, None] * rng.standard_normal((LATENT, dim), dtype=np.float32))
        block += own @ (0.7 * decay[:, None] * rng.standard_normal((len(decay), dim), np.float32))
        block *= np.exp(rng.normal(size=dim)).astype(np.float32)
        block += rng.normal(size=dim).astype(np.float32)
        at += dim
        if absent:
            gone = rng.random(rows) < absent
            block[gone] = 0
            x[:, at] = ~gone
            at += 1
    risk = latent @ (weight * rng.normal(size=LATENT))
    seen = 1.2 * risk / risk.std() + rng.logistic(size=rows)
    patients = rows * 3 // 4
    patient = rng.integers(patients, size=rows)
    return (
        x,
        (seen > np.quantile(seen, 1 - rate)).astype(int),
        rng.permutation(patients)[patient] % 5,
    )


@dataclass(frozen=True)
class Path:
    """The points of one penalty, fitted one from the other on the rows of one fold."""

    seconds: Seconds
    auroc: dict[GridPoint, float]  # of the rows held out
    violation: float  # the largest of its points


class Fold:
    """The rows that a fold is fitted on, standardised, and those that it holds out."""

    def __init__(self, data: tuple[np.ndarray, np.ndarray, np.ndarray], fold: int) -> None:
        x, y, folds = data
        seen = folds != fold
        scaler = StandardScaler()
        self.x = np.asfortranarray(scaler.fit_transform(x[seen].astype(np.float64)))
        self.y = y[seen].astype(np.float64)
        self.threads = CORES if data[0].size > SMALL_SEARCH else 1
        self.held_out, self.y_held_out = scaler.transform(x[~seen].astype(np.float64)), y[~seen]

    def measured(self, seconds: Seconds, fits: dict[GridPoint, tuple[np.ndarray, float]]) -> Path:
        """From the coefficients [p] and intercept of each point."""
        auroc, worst = {}, 0.0
        for choice, (w, intercept) in fits.items():
            auroc[choice] = float(roc_auc_score(self.y_held_out, self.held_out @ w + intercept))
            error = expit(self.x @ w + intercept) - self.y
            gradient, bound = self.x.T @ error / len(error), choice.strength / len(error)
            if choice.penalty == "l1":
                at_zero = np.maximum(np.abs(gradient) - bound, 0)
                broken = np.where(w == 0, at_zero, np.abs(gradient + bound * np.sign(w)))
            else:
                broken = np.abs(gradient + bound * w)
            worst = max(worst, float(broken.max()), abs(float(error.mean())))
        return Path(seconds, auroc, worst)


def by_adelie(fold: Fold, tolerance: float) -> Path:
    """The l1 points, from the strongest penalty on."""
    import adelie

    points = sorted(
        (each for each in PAPER_GRID if each.penalty == "l1"), key=lambda c: -c.strength
    )
    clock = Clock()
    state = adelie.grpnet(
        adelie.matrix.dense(fold.x, n_threads=fold.threads),
        adelie.glm.binomial(fold.y),
        lmda_path=np.array([each.strength / len(fold.y) for each in points]),
        tol=tolerance,
        irls_tol=tolerance,
        adev_tol=1.0,
        early_exit=False,
        n_threads=fold.threads,
        progress_bar=False,
    )
    took = clock.read()
    fits = {
        choice: (np.asarray(state.betas[at].todense()).ravel(), float(state.intercepts[at]))
        for at, choice in enumerate(points)
    }
    return fold.measured(took, fits)


def by_newton_cholesky(fold: Fold) -> Path:
    """The l2 points from the strongest penalty on, then none."""
    points = sorted(
        (each for each in PAPER_GRID if each.penalty != "l1"), key=lambda c: -c.strength
    )
    model = LogisticRegression(solver="newton-cholesky", warm_start=True, tol=1e-6, max_iter=MOST)
    fits, clock = {}, Clock()
    with threadpool_limits(fold.threads, user_api="blas"):
        for choice in points:
            model.set_params(C=np.inf if choice.C is None else choice.C).fit(fold.x, fold.y)
            fits[choice] = model.coef_[0].copy(), float(model.intercept_[0])
    return fold.measured(clock.read(), fits)


def by_saga(fold: Fold) -> Path:
    """One l1 point, C = 1, from nothing, at scikit-learn's own tolerance."""
    choice, clock = GridPoint("l1", 1.0), Clock()
    model = LogisticRegression(C=1.0, l1_ratio=1, solver="saga", max_iter=MOST)
    model.fit(np.ascontiguousarray(fold.x, dtype=np.float32), fold.y)
    return fold.measured(
        clock.read(), {choice: (model.coef_[0].astype(float), float(model.intercept_[0]))}
    )


def peak_gb() -> float:
    """The largest resident set of this process so far, 10^9 bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def ours(data: tuple[np.ndarray, np.ndarray, np.ndarray], name: str) -> tuple[LogisticFit, Seconds]:
    clock = Clock()
    fit = grid_search(*data)
    took = clock.read()
    failed = [f"{each.choice}: {each.reason}" for each in fit.candidates if not each.converged]
    print(
        f"| {name} | {data[0].shape[1]:,} | {took.wall:.1f} | {took.cpu:.1f} | {peak_gb():.2f} "
        f"| {fit.choice.penalty}, C = {fit.choice.C} | {'; '.join(failed) or 'all'} |",
        flush=True,
    )
    return fit, took


def beside(
    fits: LogisticFit, took: Seconds, folds: list[Fold], tolerances: Sequence[float]
) -> None:
    """The libraries on the folds, and the ratio of five folds to ours."""
    mean = {each.choice: each for each in fits.candidates}
    l2 = [by_newton_cholesky(fold) for fold in folds]
    row("newton-cholesky, l2 and none", l2)
    for tolerance in tolerances:
        l1 = [by_adelie(fold, tolerance) for fold in folds]
        row(f"adelie {tolerance:.0e}, l1", l1)
        apart = max(
            abs(path.auroc[choice] - mean[choice].fold_auroc[fold])
            for paths in (l1, l2)
            for fold, path in enumerate(paths)
            for choice in path.auroc
        )
        wall, cpu = (
            FOLDS / len(folds) * sum(getattr(path.seconds, kind) for path in [*l1, *l2])
            for kind in ("wall", "cpu")
        )
        reckoned = "" if len(folds) == FOLDS else f", reckoned from {len(folds)}"
        print(
            f"  both: {wall:.1f} s ({cpu:.1f} CPU s) for five folds{reckoned}, without a refit;"
            f" ours {took.wall:.1f} s ({took.cpu:.1f} CPU s) with it: {wall / took.wall:.1f} times,"
            f" of CPU seconds {cpu / took.cpu:.1f}; AUROCs of folds apart by at most {apart:.1e}",
            flush=True,
        )


def row(name: str, paths: Sequence[Path]) -> None:
    wall, cpu = (sum(getattr(path.seconds, kind) for path in paths) for kind in ("wall", "cpu"))
    violation = max(path.violation for path in paths)
    print(f"{name}, {len(paths)} folds: {wall:.1f} s, {cpu:.1f} CPU s, violation {violation:.0e}")


def small() -> None:
    """Both sides whole, on a small cohort."""
    data = cohort(3000, SMALL, TASKS["mortality"])
    print(HEAD)
    fit, took = ours(data, "3,000 rows")
    beside(fit, took, [Fold(data, fold) for fold in range(FOLDS)], [1e-7, 1e-8])


def full(arms: Sequence[int], saga: bool) -> None:
    """Ours at the paper's size; the libraries on one fold of the first arm."""
    print(HEAD)
    total, reference = Seconds(0, 0), None
    for arm in arms:
        for rate in TASKS:
            data = cohort(ROWS, ARMS[arm], TASKS[rate])
            fit, took = ours(data, f"arm {arm}, {rate}")
            total = Seconds(total.wall + took.wall, total.cpu + took.cpu)
            reference = reference or (fit, took)
            del data
    print(
        f"all {2 * len(arms)}: {total.wall:.0f} s, {total.cpu:.0f} CPU s, peak {peak_gb():.2f} GB"
    )
    fold = Fold(cohort(ROWS, ARMS[arms[0]], TASKS["mortality"]), 0)
    print(f"\nbeside libraries: arm {arms[0]}, mortality, fold 0, {fold.x.shape[1]:,} features")
    beside(*reference, [fold], [1e-7])
    if saga:
        row("saga, l1 at C = 1 alone", [by_saga(fold)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="the paper's size")
    parser.add_argument("--arms", type=int, nargs="+", default=[1], metavar="ARM")
    parser.add_argument("--saga", action="store_true", help="with --full: saga too")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)  # the violation says it
    if arguments.full:
        full(arguments.arms, arguments.saga)
    else:
        small()


if __name__ == "__main__":
    main()

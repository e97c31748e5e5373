"""The fits of one grid point, one per fold and one of all rows, over one scaled copy of x.

A fold's own standardisation needs no copy of x. All fits share the columns z, standardised by a
base mean and sd, and a constant 1. Standardising by a fit's own mean and sd instead multiplies a
coefficient by ratio = sd / base sd, which the penalty takes into account, and shifts the intercept,
which is not penalised. The base of a column is that of the fit with the smallest sd, so a gradient
never grows when it is converted back to the fit's own scale.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

SAME = 0.03  # weights that differ by less than this share make the same Hessian
FEW = 5  # rows for each feature; with fewer every fit has Hessians of its own
CHUNK = 8192  # rows held in float64 at a time
SMALL = 5e6  # numbers of x up to which float64 costs next to nothing
DOUBLE = 3e7
"""Numbers of x (240 MB) up to which all is computed in float64 where rows are few for the features:
there losses are the flattest. Where rows are plenty, single precision is safe and twice as fast."""


def has_many_rows(rows: int, columns: int) -> bool:
    """Whether there are so many rows for each column that the folds' fits hardly differ."""
    return rows >= FEW * columns


@dataclass(frozen=True, eq=False)
class FoldProblems:
    """The k = folds + 1 fits: fit j < folds leaves out the rows of fold j, the last none.

    Rows are sorted by fold. The last column of z is 1, and its coefficient is the intercept.
    """

    z: np.ndarray  # [n, p + 1] float32, or float64 where x is small
    y: np.ndarray  # [n] float64, 0 or 1
    order: np.ndarray  # [n], the caller's row of each row of z
    bounds: np.ndarray  # [folds + 1], fold j is rows bounds[j]:bounds[j + 1]
    base_mean: np.ndarray  # [p] float64
    base_sd: np.ndarray  # [p]
    mean: np.ndarray  # [p, k], of the rows of each fit
    sd: np.ndarray  # [p, k], 0 where the column is constant in them
    ratio: np.ndarray  # [p + 1, k], sd / base_sd; 1 for the intercept
    rows: np.ndarray  # [k], how many rows each fit has
    possible: list[int]  # the fits whose rows are of both classes

    @staticmethod
    def of(x: np.ndarray, y: np.ndarray, folds: np.ndarray) -> "FoldProblems":
        """Scales and sorts; x [n, p] finite, y [n] 0 or 1, folds [n] int, two or more of them."""
        order = np.argsort(folds, kind="stable")
        _, sizes = np.unique(folds, return_counts=True)
        bounds = np.concatenate([[0], np.cumsum(sizes)])
        mean, sd = _moments(x, order, bounds)
        smallest = np.where(sd > 0, sd, np.inf).argmin(axis=1)[:, None]
        base_mean = np.take_along_axis(mean, smallest, axis=1)[:, 0]
        base_sd = np.take_along_axis(sd, smallest, axis=1)[:, 0]
        base_sd[base_sd == 0] = 1

        n, p = x.shape
        in_double = n * p <= (SMALL if has_many_rows(n, p + 1) else DOUBLE)
        z = np.ones((n, p + 1), dtype=np.float64 if in_double else np.float32)
        for first in range(0, n, CHUNK):
            rows = order[first : first + CHUNK]
            z[first : first + CHUNK, :p] = (x[rows] - base_mean) / base_sd
        y = y[order].astype(np.float64)
        held_out = np.append(np.diff(bounds), 0)
        positives = y.sum() - np.append(np.add.reduceat(y, bounds[:-1]), 0)
        rows_of_fit = n - held_out
        return FoldProblems(
            z=z,
            y=y,
            order=order,
            bounds=bounds,
            base_mean=base_mean,
            base_sd=base_sd,
            mean=mean,
            sd=sd,
            ratio=np.vstack([sd / base_sd[:, None], np.ones(sd.shape[1])]),
            rows=rows_of_fit,
            possible=np.flatnonzero((positives > 0) & (positives < rows_of_fit)).tolist(),
        )

    @property
    def rounding_of_loss(self) -> float:
        """The share of a loss by which the rounding of margins can move it."""
        return 1e-7 if self.z.dtype == np.float32 else 1e-13

    @property
    def last(self) -> int:
        """The fit of all rows."""
        return len(self.rows) - 1

    def held_out(self, fit: int) -> slice:
        """The rows that a fit does not see; none for the last."""
        if fit == self.last:
            return slice(0, 0)
        return slice(self.bounds[fit], self.bounds[fit + 1])

    def margins(self, v: np.ndarray) -> np.ndarray:
        """The product z v in z's precision: from v [p + 1, c] to [n, c] float64."""
        return (self.z @ v.astype(self.z.dtype)).astype(np.float64)

    def loss(self, margin: np.ndarray, fit: int) -> float:
        """Mean log loss over the rows of the fit; margin [n]."""
        each = np.logaddexp(0, np.where(self.y > 0, -margin, margin))
        each[self.held_out(fit)] = 0
        return float(each.sum() / self.rows[fit])

    def gradients(self, margins: np.ndarray, fits: list[int]) -> np.ndarray:
        """Of the mean loss of those fits; margins [n, c] of their coefficients, to [p + 1, c].

        0 where the column is constant in the rows of the fit.
        """
        residuals = expit(margins) - self.y[:, None]
        for column, fit in enumerate(fits):
            residuals[self.held_out(fit), column] = 0
        gradients = (residuals.astype(self.z.dtype).T @ self.z).T / self.rows[fits]
        return np.where(self.ratio[:, fits] > 0, gradients, 0)

    def separates(self, margin: np.ndarray, fit: int) -> bool:
        """Whether a margin [n] classifies every row of the fit correctly.

        Then no finite optimum exists.
        """
        right = np.where(self.y > 0, margin, -margin) > 0
        right[self.held_out(fit)] = True
        return bool(right.all())


class Curvature:
    """Hessians of the mean losses. They steer the steps, but do not affect the solution.

    A Hessian is a Gram matrix of the fit's rows, each weighted by its p (1 - p). With many rows per
    feature the fits hardly differ in p, and all use the p of the fit of all rows. Then one matrix
    per fold is enough: a fit adds up those of the other folds, and the solvers correct the error.
    With few rows every fit has its own matrix, because p differs, and rows that the fit does not
    see must not steer it.
    """

    def __init__(self, problems: FoldProblems) -> None:
        self._problems = problems
        n, columns = problems.z.shape
        self.shared = has_many_rows(n, columns)
        self._weights = np.zeros((n, 1 if self.shared else len(problems.rows)))
        self._blocks: list[np.ndarray] = []

    def refresh(self, margins: np.ndarray, same: float = SAME) -> bool:
        """Takes the weights at the margins [n, k]; whether they differ by more than that share."""
        probability = expit(margins[:, -1:] if self.shared else margins)
        weights = probability * (1 - probability)
        if np.abs(weights - self._weights).sum() <= same * weights.sum():
            return False
        self._weights = weights
        if self.shared:
            bounds = self._problems.bounds
            self._blocks = [
                self._gram(weights[:, 0], [slice(first, end)])
                for first, end in itertools.pairwise(bounds)
            ]
            self._blocks.append(np.sum(self._blocks, axis=0))
        return True

    def hessian(self, fit: int) -> np.ndarray:
        """[p + 1, p + 1], new; rows and columns that are constant in the fit are 0."""
        problems = self._problems
        if not self.shared:
            out = problems.held_out(fit)
            kept = [slice(0, out.start), slice(out.stop, len(problems.z))]
            hessian = self._gram(self._weights[:, fit], kept)
        elif fit == problems.last:
            hessian = self._blocks[-1].copy()
        else:
            hessian = self._blocks[-1] - self._blocks[fit]
        hessian /= hessian.dtype.type(problems.rows[fit])
        constant = problems.ratio[:, fit] == 0
        if constant.any():
            hessian[constant] = 0
            hessian[:, constant] = 0
        return hessian

    def _gram(self, weights: np.ndarray, kept: list[slice]) -> np.ndarray:
        """The matrix z' diag(weights) z over those rows."""
        z = self._problems.z
        gram = np.zeros((z.shape[1], z.shape[1]), dtype=z.dtype)
        for rows in kept:
            for first in range(rows.start, rows.stop, 2 * CHUNK):
                chunk = slice(first, min(first + 2 * CHUNK, rows.stop))
                weighted = z[chunk] * np.sqrt(weights[chunk, None]).astype(z.dtype)
                gram += weighted.T @ weighted
        return gram


def _moments(x: np.ndarray, order: np.ndarray, bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd of each column over the rows of each fit, both [p, k], in float64.

    Deviations are from the column's first row, then from the mean of each fold, whose sums of
    squares are put together exactly (Chan, Golub and LeVeque 1983, The American Statistician).
    """
    folds = len(bounds) - 1
    fold_mean = np.empty((folds, x.shape[1]))
    fold_squares = np.empty_like(fold_mean)
    for fold, (first, end) in enumerate(itertools.pairwise(bounds)):
        parts = [order[i : min(i + CHUNK, end)] for i in range(first, end, CHUNK)]
        mean = sum(x[rows].sum(axis=0, dtype=np.float64) for rows in parts) / (end - first)
        fold_mean[fold] = mean
        fold_squares[fold] = sum(((x[rows] - mean) ** 2).sum(axis=0) for rows in parts)
    sizes = np.diff(bounds)[:, None]
    means, sds = [], []
    for left_out in [*range(folds), None]:
        kept = np.ones((folds, 1)) if left_out is None else (np.arange(folds) != left_out)[:, None]
        weight = sizes * kept
        n = weight.sum()
        mean = (weight * fold_mean).sum(axis=0) / n
        squares = (kept * fold_squares + weight * (fold_mean - mean) ** 2).sum(axis=0)
        variance = squares / n
        # As scikit-learn's StandardScaler: below the rounding of such a sum it is constant.
        rounding = np.finfo(np.float64).eps
        constant = variance <= n * rounding * variance + (n * mean * rounding) ** 2
        means.append(mean)
        sds.append(np.sqrt(np.where(constant, 0, variance)))
    return np.array(means).T, np.array(sds).T

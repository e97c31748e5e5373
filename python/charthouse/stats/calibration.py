"""Logistic recalibration of scores, fitted for many weightings of the same rows at once.

Scores are well calibrated when logit P(y = 1) = intercept + slope * logit(score) with intercept 0
and slope 1 (Cox 1958, Biometrika; Van Calster et al. 2019, BMC Medicine):

- calibration slope: the slope of that regression. Below 1, the scores are too extreme;
- calibration intercept (calibration in the large): the intercept with the slope fixed at 1. Below
  0, the scores are too high on average. It is not the intercept that is fitted with the slope.

Both are maximum likelihood estimates without a penalty, by Newton's method on all weightings at
once.
"""

from dataclasses import dataclass

import numpy as np

EPSILON = 1e-7
"""Scores are clipped to [EPSILON, 1 - EPSILON] before the logit, so that exactly 0 or 1 weighs as
odds of one to ten million, not as infinity. float32 cannot come much nearer to 1."""

TOLERANCE = 1e-7  # of the last step on standardised logits; what is left is about its square
MAX_STEPS = 50
FULL_STEP = 0.5  # the largest change of a linear predictor for which Newton needs no damping
SINGULAR = 1e-12  # of the determinant, relative to the product of the diagonal


def logit(scores: np.ndarray) -> np.ndarray:
    """Log odds (natural, finite) of probabilities [n], clipped to [EPSILON, 1 - EPSILON].

    Example:
        >>> logit(np.array([0.5, 0.75])).round(4).tolist()
        [0.0, 1.0986]
    """
    clipped = np.clip(scores, EPSILON, 1 - EPSILON)
    return np.log(clipped) - np.log1p(-clipped)


@dataclass(frozen=True)
class Recalibration:
    """A logistic regression of k terms: logit P(y = 1) = offset + coefficients' terms."""

    terms: np.ndarray  # [k, n], k = 1 or 2
    offset: np.ndarray  # [n], added to the linear predictor
    y_true: np.ndarray  # [n], 0 or 1

    def fit(self, weights: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Maximum likelihood for each weighting, all from the same start.

        The first step needs the probabilities of one start only, so it is a matrix product. The
        other steps are exact. A long step is shortened to log(1 + d) / d of itself, where d is the
        most that it changes the linear predictor of any row. Every start then leads to the optimum,
        if there is one (Sun and Tran-Dinh 2019, Mathematical Programming: the logistic loss is
        generalised self-concordant).

        Args:
            weights: [n, c] float64, not negative.
            start: [k], the coefficients to start from.

        Returns:
            Coefficients [k, c], and whether each fit converged [c]: not where the classes are
            separated or the terms collinear. Its coefficients then mean nothing.
        """
        targets = (self.terms * self.y_true) @ weights
        p = _probability(self.offset + start @ self.terms)
        gradient = targets - (self.terms * p) @ weights
        step = self._step(gradient, (self._products * (p * (1 - p))) @ weights)
        fitted = start[:, None] + step
        moving = np.flatnonzero(_longest(step) > TOLERANCE)  # NaN, no step, is not moving
        converged = _longest(step) <= TOLERANCE
        for _ in range(MAX_STEPS):
            if not moving.size:
                break
            some = weights if moving.size == weights.shape[1] else weights[:, moving]
            probable = _probability(self.offset[:, None] + self.terms.T @ fitted[:, moving])
            expected = some * probable
            gradient = targets[:, moving] - self.terms @ expected
            np.subtract(1, probable, out=probable)
            expected *= probable
            step = self._step(gradient, self._products @ expected)
            fitted[:, moving] += step
            length = _longest(step)
            converged[moving] = length <= TOLERANCE
            moving = moving[length > TOLERANCE]
        return fitted, converged

    @property
    def _products(self) -> np.ndarray:
        """Products of terms [k * (k + 1) / 2, n], the upper triangle of the Hessian."""
        first, second = np.triu_indices(len(self.terms))
        return self.terms[first] * self.terms[second]

    def _step(self, gradient: np.ndarray, hessian: np.ndarray) -> np.ndarray:
        """Newton's step [k, c], shortened if long; NaN where the Hessian is singular."""
        with np.errstate(divide="ignore", invalid="ignore"):
            if len(self.terms) == 1:
                step = np.where(hessian > 0, gradient / hessian, np.nan)
            else:
                (a, b, d), (g, h) = hessian, gradient
                determinant = a * d - b * b
                regular = determinant > SINGULAR * a * d
                step = np.stack([d * g - b * h, a * h - b * g]) / determinant
                step[:, ~regular] = np.nan
            change = np.abs(self.terms).max(axis=1, initial=0.0) @ np.abs(step)
            return step * np.where(change <= FULL_STEP, 1.0, np.log1p(change) / change)


def recalibration(y_true: np.ndarray, logits: np.ndarray) -> tuple[Recalibration, float]:
    """The regression with intercept and slope, on standardised logits [n], and their deviation.

    The slope is the second coefficient divided by the deviation.
    """
    deviation = float(logits.std()) or 1.0
    standard = (logits - logits.mean()) / deviation
    terms = np.stack([np.ones_like(logits), standard])
    return Recalibration(terms, np.zeros_like(logits), y_true), deviation


def classes_overlap(y_true: np.ndarray, logits: np.ndarray) -> bool:
    """Whether the calibration slope is finite: no cutoff of the logits [n] separates the classes.

    Where it is False, it is False for every subset of the rows. It is also False where a class is
    missing or all scores are equal.
    """
    positive, negative = logits[y_true == 1], logits[y_true == 0]
    return bool(
        positive.min(initial=np.inf) < negative.max(initial=-np.inf)
        and positive.max(initial=-np.inf) > negative.min(initial=np.inf)
    )


def _probability(predictor: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-predictor)), in place."""
    np.negative(predictor, out=predictor)
    with np.errstate(over="ignore"):
        np.exp(predictor, out=predictor)
    predictor += 1
    return np.reciprocal(predictor, out=predictor)


def _longest(step: np.ndarray) -> np.ndarray:
    """The largest coordinate [c] of steps [k, c], without its sign; NaN stays NaN."""
    return np.abs(step).max(axis=0)

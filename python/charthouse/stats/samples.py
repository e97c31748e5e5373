"""Scored samples under many integer weightings at once: the sums that metrics are made of.

A bootstrap resample is a weighting: how often each row was drawn. The scores are sorted once. After
that a resample costs only sums over its weights, and most of those are rows of one matrix product.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from charthouse.stats import calibration

ECE_BINS = 10
EXACT = 1e-9
"""Counts are whole numbers: a value this close to one is that number."""


@dataclass(frozen=True, eq=False)
class OperatingPoint:
    """Where scores decide by rank, which means the same for any two arms."""

    alert_rate: float = 0.1
    """Proportion of rows that are alerted, those with the highest scores; over 0, under 1."""

    sensitivity: float = 0.8
    """Proportion of positives that are found; over 0, under 1."""

    match_alerts_of: np.ndarray | None = None
    """[n] bool, the rows that another decision-maker alerts; as many are, instead of alert_rate."""

    def subset(self, rows: np.ndarray) -> Self:
        """The same for some of the rows, given as bool [n] or as positions."""
        others = self.match_alerts_of
        return self if others is None else replace(self, match_alerts_of=others[rows])


DEFAULT_OPERATING_POINT = OperatingPoint()


@dataclass(frozen=True, eq=False)
class Sample:
    """Scored rows, sorted: the highest score first, and negatives first among equal scores."""

    y_true: np.ndarray  # [n] float64, 0 or 1
    y_score: np.ndarray  # [n] float64 in [0, 1]
    threshold: float  # a row is predicted positive when y_score >= threshold
    order: np.ndarray  # [n], the position of each row before sorting
    operating_point: OperatingPoint = DEFAULT_OPERATING_POINT  # of decisions by rank

    @classmethod
    def of(
        cls,
        y_true: np.ndarray,
        y_score: np.ndarray,
        threshold: float,
        operating_point: OperatingPoint = DEFAULT_OPERATING_POINT,
    ) -> Self:
        """Checks and sorts rows: labels and probabilities [n], in any order.

        Raises:
            ValueError: Lengths differ, a label is not 0 or 1, a score is not a probability, or the
                threshold is not a number.
        """
        y_true, y_score = np.asarray(y_true), np.asarray(y_score, dtype=np.float64)
        if y_true.ndim != 1 or y_true.shape != y_score.shape:
            raise ValueError(f"y_true {y_true.shape} and y_score {y_score.shape} differ in shape")
        if not np.isin(y_true, (0, 1)).all():
            raise ValueError("y_true holds labels other than 0 and 1")
        if not ((y_score >= 0) & (y_score <= 1)).all():  # NaN is refused too
            raise ValueError("y_score holds values that are not in [0, 1]")
        if np.isnan(threshold):
            raise ValueError("threshold is not a number")
        order = np.lexsort((y_true, -y_score))
        rows = y_true[order].astype(np.float64), y_score[order]
        return cls(*rows, float(threshold), order, operating_point.subset(order))

    def __len__(self) -> int:
        return len(self.y_true)

    def subset(self, chosen: np.ndarray) -> Self:
        """The chosen rows [n] bool, in the same order."""
        return replace(
            self,
            y_true=self.y_true[chosen],
            y_score=self.y_score[chosen],
            order=self.order[chosen],
            operating_point=self.operating_point.subset(chosen),
        )

    @cached_property
    def confusion_rows(self) -> np.ndarray:
        """One row per count: all, positive, predicted positive, true positive [4, n].

        With match_alerts_of a fifth row counts the other decision-maker's alerts [5, n].
        """
        predicted = (self.y_score >= self.threshold).astype(np.float64)
        rows = [np.ones(len(self)), self.y_true, predicted, predicted * self.y_true]
        if self.operating_point.match_alerts_of is not None:
            rows.append(self.operating_point.match_alerts_of.astype(np.float64))
        return np.stack(rows)

    @cached_property
    def errors(self) -> np.ndarray:
        """The squared error, and y_true - y_score within each bin of scores [1 + ECE_BINS, n].

        Bin b of 10 is [b / 10, (b + 1) / 10); the last bin includes 1.
        """
        edges = np.arange(1, ECE_BINS) / ECE_BINS
        inside = np.digitize(self.y_score, edges) == np.arange(ECE_BINS)[:, None]
        error = self.y_true - self.y_score
        return np.concatenate([error[None] ** 2, np.where(inside, error, 0.0)])

    @cached_property
    def ties(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The groups of equal scores that contain a positive, the highest score first.

        Returns:
            Positions of the positive rows [positives]; where those of each group start among these,
            the first row of each group, and one past its last row, all [groups].
        """
        starts = np.flatnonzero(np.diff(self.y_score, prepend=np.nan) != 0)
        ends = np.append(starts[1:], len(self))
        positives = np.flatnonzero(self.y_true)
        group = np.searchsorted(starts, positives, side="right") - 1
        held, first = np.unique(group, return_index=True)
        return positives, first, starts[held], ends[held]

    @cached_property
    def logits(self) -> np.ndarray:
        """Log odds of the scores [n]."""
        return calibration.logit(self.y_score)

    @cached_property
    def varies(self) -> bool:
        """Whether the (clipped) scores are not all equal."""
        return bool(np.any(self.logits != self.logits[:1]))

    @cached_property
    def overlaps(self) -> bool:
        """Whether the calibration slope is finite. If not, no resample has a finite one either."""
        return calibration.classes_overlap(self.y_true, self.logits)

    @cached_property
    def has_both_classes(self) -> bool:
        """Whether there is a positive and a negative row."""
        return np.unique(self.y_true).size == 2

    @cached_property
    def recalibration(self) -> tuple[calibration.Recalibration, float, np.ndarray]:
        """The regression of the slope, the deviation of its logits, and its unweighted fit [2]."""
        regression, deviation = calibration.recalibration(self.y_true, self.logits)
        prevalence = calibration.logit(self.y_true.mean())
        fitted, _ = regression.fit(np.ones((len(self), 1)), np.array([prevalence, 0.0]))
        return regression, deviation, fitted[:, 0]

    @cached_property
    def in_the_large(self) -> tuple[calibration.Recalibration, np.ndarray]:
        """The regression of the intercept alone, the slope fixed at 1; its unweighted fit [1]."""
        ones = np.ones((len(self), 1))
        regression = calibration.Recalibration(ones.T, self.logits, self.y_true)
        return regression, regression.fit(ones, np.zeros(1))[0][:, 0]


@dataclass(frozen=True, eq=False)
class WeightedSample:
    """A sample under c weightings. Each sum is computed when a metric first needs it."""

    sample: Sample  # of n rows
    weights: np.ndarray  # [n, c], how often each row counts, in the sample's order; small integers

    @cached_property
    def _floats(self) -> np.ndarray:
        return self.weights.astype(np.float64)  # integers up to 2^53 stay exact

    @cached_property
    def _counts(self) -> np.ndarray:
        return self.sample.confusion_rows @ self._floats

    @property
    def total(self) -> np.ndarray:
        """Number of rows [c]."""
        return self._counts[0]

    @property
    def positives(self) -> np.ndarray:
        """Number of positive rows [c]."""
        return self._counts[1]

    @property
    def negatives(self) -> np.ndarray:
        """Number of negative rows [c]."""
        return self.total - self.positives

    @property
    def predicted(self) -> np.ndarray:
        """Number of rows that are predicted positive [c]."""
        return self._counts[2]

    @property
    def true_positives(self) -> np.ndarray:
        """Number of positive rows that are predicted positive [c]."""
        return self._counts[3]

    @property
    def true_negatives(self) -> np.ndarray:
        """Number of negative rows that are predicted negative [c]."""
        return self.negatives - self.predicted + self.true_positives

    @cached_property
    def errors(self) -> np.ndarray:
        """Sums of squared errors, and of y_true - y_score in each bin [1 + ECE_BINS, c]."""
        return self.sample.errors @ self._floats

    @cached_property
    def ranked(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Counts at each group of equal scores that contains a positive, integers [groups, c].

        Returns:
            The group's own positives; all positives down to its end; all rows down to its end; all
            rows above its start.
        """
        positives, first, starts, ends = self.sample.ties
        if not positives.size:
            nothing = np.zeros((0, self.weights.shape[1]), dtype=np.int64)
            return nothing, nothing, nothing, nothing
        running = np.cumsum(self.weights, axis=0, dtype=np.int32)
        to_end = running[ends - 1].astype(np.int64)
        above = np.where(starts[:, None] > 0, running[starts - 1], 0).astype(np.int64)
        own = np.add.reduceat(self.weights[positives], first, axis=0, dtype=np.int64)
        return own, np.cumsum(own, axis=0), to_end, above

    @cached_property
    def alerted(self) -> np.ndarray:
        """Number of rows that are alerted by rank [c]; not always a whole number."""
        if self.sample.operating_point.match_alerts_of is None:
            return self.sample.operating_point.alert_rate * self.total
        return self._counts[4]

    @cached_property
    def alerted_positives(self) -> np.ndarray:
        """Positives among the alerted rows [c]; rows that tie for the last alerts count in part."""
        own, positives, to_end, above = self.ranked
        group, held = _first(to_end >= self.alerted)
        own, found, start, end = (group(each) for each in (own, positives, above, to_end))
        tied = np.clip(self.alerted, start, end) - start
        positive = own / np.maximum(end - start, 1)  # exactly 1 where all are
        return np.where(held, found - own + tied * positive, self.positives)

    @cached_property
    def false_alerts(self) -> np.ndarray:
        """Negatives that are alerted before the required proportion of positives is found [c]."""
        own, positives, to_end, above = self.ranked
        wanted = self.sample.operating_point.sensitivity * self.positives
        group, _ = _first(positives >= wanted - EXACT)
        own, found, start, end = (group(each) for each in (own, positives, above, to_end))
        share = np.clip((wanted - (found - own)) / np.maximum(own, 1), 0, 1)
        return start - (found - own) + share * (end - start - own)

    @cached_property
    def slope(self) -> np.ndarray:
        """Calibration slopes [c], NaN where there is none."""
        if not self.sample.overlaps:
            return np.full(self.weights.shape[1], np.nan)
        regression, deviation, start = self.sample.recalibration
        fitted, converged = regression.fit(self._floats, start)
        return np.where(converged, fitted[1] / deviation, np.nan)

    @cached_property
    def intercept(self) -> np.ndarray:
        """Calibration intercepts with the slope fixed at 1 [c], NaN where there is none."""
        if not self.sample.has_both_classes:
            return np.full(self.weights.shape[1], np.nan)
        regression, start = self.sample.in_the_large
        fitted, converged = regression.fit(self._floats, start)
        return np.where(converged, fitted[0], np.nan)


def _first(reached: np.ndarray) -> tuple[Callable[[np.ndarray], np.ndarray], np.ndarray]:
    """Takes values [groups, c] of the first group that reaches something; zeros if there is none.

    Args:
        reached: [groups, c], false first, then true.

    Returns:
        What takes them [c], and whether there is such a group [c].
    """
    if not len(reached):
        nothing = np.zeros(reached.shape[1], dtype=np.int64)
        return lambda values: nothing, nothing.astype(bool)
    at = np.minimum((~reached).sum(axis=0), len(reached) - 1)[None]
    return lambda values: np.take_along_axis(values, at, axis=0)[0], reached[-1]

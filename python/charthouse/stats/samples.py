"""What metrics are made of, for many integer weightings of the same rows at once.

A bootstrap resample is a weighting: how often each row was drawn. The scores are sorted once; after
that a resample costs sums over its weights, and most of those are rows of one matrix product.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from charthouse.stats import calibration

ECE_BINS = 10
EXACT = 1e-9
"""Counts are whole numbers: what is so near to one is that one."""


@dataclass(frozen=True, eq=False)
class OperatingPoint:
    """Where scores decide by rank, which means the same for any two arms.

    Attributes:
        alert_rate: The share of rows that is alerted, those of the highest scores.
        sensitivity: The share of positives that is found.
        match_alerts_of: [n] bool, rows that somebody else alerts: as many are alerted, whatever
            alert_rate says; None for alert_rate.
    """

    alert_rate: float = 0.1
    sensitivity: float = 0.8
    match_alerts_of: np.ndarray | None = None

    def subset(self, rows: np.ndarray) -> "OperatingPoint":
        """The same of some rows: bool, or their places."""
        return (
            self
            if self.match_alerts_of is None
            else replace(self, match_alerts_of=self.match_alerts_of[rows])
        )


DEFAULT_OPERATING_POINT = OperatingPoint()


@dataclass(frozen=True, eq=False)
class Sample:
    """Scored rows, sorted: highest score first, and among equal scores negatives first.

    Attributes:
        y_true: [n] float64, 0 or 1.
        y_score: [n] float64 in [0, 1].
        threshold: A row is predicted positive when y_score >= threshold.
        order: [n], where each row was before it was sorted.
        operating_point: Where it is decided by rank instead.
    """

    y_true: np.ndarray
    y_score: np.ndarray
    threshold: float
    order: np.ndarray
    operating_point: OperatingPoint = DEFAULT_OPERATING_POINT

    @classmethod
    def of(
        cls,
        y_true: np.ndarray,
        y_score: np.ndarray,
        threshold: float,
        operating_point: OperatingPoint = DEFAULT_OPERATING_POINT,
    ) -> "Sample":
        """Sorts rows.

        Raises:
            ValueError: Lengths differ; a label is not 0 or 1; a score is not a probability, or the
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

    def subset(self, chosen: np.ndarray) -> "Sample":
        """The chosen rows [n] bool, sorted as they are."""
        rows = self.y_true[chosen], self.y_score[chosen]
        return Sample(
            *rows, self.threshold, self.order[chosen], self.operating_point.subset(chosen)
        )

    @cached_property
    def confusion_rows(self) -> np.ndarray:
        """Rows of the confusion matrix: any, positive, predicted positive, both [4, n].

        And those that somebody else alerts, if need be [5, n].
        """
        predicted = (self.y_score >= self.threshold).astype(np.float64)
        rows = [np.ones(len(self)), self.y_true, predicted, predicted * self.y_true]
        if self.operating_point.match_alerts_of is not None:
            rows.append(self.operating_point.match_alerts_of.astype(np.float64))
        return np.stack(rows)

    @cached_property
    def errors(self) -> np.ndarray:
        """The squared error, and y_true - y_score within each bin of scores [1 + ECE_BINS, n].

        Bin b of 10 is [b / 10, (b + 1) / 10); the last one holds 1 as well.
        """
        edges = np.arange(1, ECE_BINS) / ECE_BINS
        inside = np.digitize(self.y_score, edges) == np.arange(ECE_BINS)[:, None]
        error = self.y_true - self.y_score
        return np.concatenate([error[None] ** 2, np.where(inside, error, 0.0)])

    @cached_property
    def ties(self) -> "TiedScores":
        """The groups of equal scores that hold a positive."""
        starts = np.flatnonzero(np.diff(self.y_score, prepend=np.nan) != 0)
        ends = np.append(starts[1:], len(self))
        positives = np.flatnonzero(self.y_true)
        group = np.searchsorted(starts, positives, side="right") - 1
        held, first = np.unique(group, return_index=True)
        return TiedScores(positives, first, starts[held], ends[held])

    @cached_property
    def logits(self) -> np.ndarray:
        """[n]"""
        return calibration.logit(self.y_score)

    @cached_property
    def varies(self) -> bool:
        """Whether the (clipped) scores are not all the same."""
        return bool(np.any(self.logits != self.logits[:1]))

    @cached_property
    def overlaps(self) -> bool:
        """Whether there is a finite calibration slope; if not, no resample has one either."""
        return calibration.classes_overlap(self.y_true, self.logits)

    @cached_property
    def has_both_classes(self) -> bool:
        """Whether there is a positive and a negative row."""
        return np.unique(self.y_true).size == 2

    @cached_property
    def recalibration(self) -> tuple[calibration.Recalibration, float, np.ndarray]:
        """The regression of the slope, its deviation, and its fit [2] to rows of weight 1."""
        regression, deviation = calibration.recalibration(self.y_true, self.logits)
        prevalence = calibration.logit(self.y_true.mean())
        fitted, _ = regression.fit(np.ones((len(self), 1)), np.array([prevalence, 0.0]))
        return regression, deviation, fitted[:, 0]

    @cached_property
    def in_the_large(self) -> tuple[calibration.Recalibration, np.ndarray]:
        """The regression of the intercept, and its fit [1] to rows of weight 1."""
        regression = calibration.calibration_in_the_large(self.y_true, self.logits)
        fitted, _ = regression.fit(np.ones((len(self), 1)), np.zeros(1))
        return regression, fitted[:, 0]


@dataclass(frozen=True)
class TiedScores:
    """Groups of equal scores that hold a positive, highest score first.

    Attributes:
        positives: [positives], the positive rows.
        first: [groups], where a group's positives start among these.
        starts: [groups], a group's first row.
        ends: [groups], the row after its last.
    """

    positives: np.ndarray
    first: np.ndarray
    starts: np.ndarray
    ends: np.ndarray


@dataclass(frozen=True, eq=False)
class WeightedSample:
    """A sample under weightings; each sum is computed when a metric first asks for it.

    Attributes:
        sample: n rows.
        weights: [n, c], how often each row counts in each weighting, in the sample's order; a small
            integer type.
    """

    sample: Sample
    weights: np.ndarray

    @cached_property
    def _floats(self) -> np.ndarray:
        return self.weights.astype(np.float64)  # integers up to 2^53 stay exact

    @cached_property
    def _counts(self) -> np.ndarray:
        return self.sample.confusion_rows @ self._floats

    @property
    def total(self) -> np.ndarray:
        """Rows [c]."""
        return self._counts[0]

    @property
    def positives(self) -> np.ndarray:
        """[c]"""
        return self._counts[1]

    @property
    def negatives(self) -> np.ndarray:
        """[c]"""
        return self.total - self.positives

    @property
    def predicted(self) -> np.ndarray:
        """Rows that are predicted positive [c]."""
        return self._counts[2]

    @property
    def true_positives(self) -> np.ndarray:
        """[c]"""
        return self._counts[3]

    @property
    def true_negatives(self) -> np.ndarray:
        """[c]"""
        return self.negatives - self.predicted + self.true_positives

    @cached_property
    def errors(self) -> np.ndarray:
        """Sums of squared errors, and of y_true - y_score in each bin [1 + ECE_BINS, c]."""
        return self.sample.errors @ self._floats

    @cached_property
    def ranked(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """For each group of equal scores that holds a positive, integers [groups, c].

        Returns:
            Its positives; all positives down to its end; all rows down to its end; all rows above
            its start.
        """
        ties = self.sample.ties
        if not ties.positives.size:
            nothing = np.zeros((0, self.weights.shape[1]), dtype=np.int64)
            return nothing, nothing, nothing, nothing
        running = np.cumsum(self.weights, axis=0, dtype=np.int32)
        to_end = running[ties.ends - 1].astype(np.int64)
        above = np.where(ties.starts[:, None] > 0, running[ties.starts - 1], 0).astype(np.int64)
        own = np.add.reduceat(self.weights[ties.positives], ties.first, axis=0, dtype=np.int64)
        return own, np.cumsum(own, axis=0), to_end, above

    @cached_property
    def alerted(self) -> np.ndarray:
        """How many rows are alerted by rank [c], not always a whole number."""
        if self.sample.operating_point.match_alerts_of is None:
            return self.sample.operating_point.alert_rate * self.total
        return self._counts[4]

    @cached_property
    def alerted_positives(self) -> np.ndarray:
        """The positives among them [c]: of rows that tie for the last alerts, each to its share."""
        own, positives, to_end, above = self.ranked
        group, held = _first(to_end >= self.alerted)
        own, found, start, end = (group(each) for each in (own, positives, above, to_end))
        tied = np.clip(self.alerted, start, end) - start
        positive = own / np.maximum(end - start, 1)  # exactly 1 where all are
        return np.where(held, found - own + tied * positive, self.positives)

    @cached_property
    def false_alerts(self) -> np.ndarray:
        """The negatives that are alerted before so many positives are found by rank [c]."""
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

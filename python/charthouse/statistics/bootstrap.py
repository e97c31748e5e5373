"""Bootstrap intervals over patients, and paired differences between arms.

Stays of a patient resemble each other, so patients are drawn with replacement and bring all their
stays (the cluster bootstrap: Efron and Tibshirani 1993, An Introduction to the Bootstrap; Field and
Welsh 2007, JRSS B). Intervals are the 2.5th and 97.5th percentiles of the resamples.

What is drawn depends on the patients, their number and the seed alone, so two arms scored on the
same stays are compared on the same resamples.

Limits worth knowing. Percentiles of a statistic that noise can only raise are shifted: resamples
hold every difference between score and outcome once more, so the interval of ece lies above the
estimate, which for a well calibrated model may fall below it. And with few patients or few
positives percentile intervals are too narrow.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from threadpoolctl import threadpool_limits

from charthouse.statistics.metrics import METRICS, Measured, compute, measure_sample
from charthouse.statistics.weighted import Sample, Weighted

LEVEL = 0.95
MIN_DEFINED = 0.9
"""Share of resamples in which a metric must be defined; otherwise there is no interval."""

CHUNK = 2**18
"""Weights, rows x resamples, worked on at once: 2 MB in float64, about what a core caches."""


def patient_weights(subject_ids: np.ndarray, n_bootstrap: int = 1000, seed: int = 0) -> np.ndarray:
    """Draws as many patients as there are, with replacement, n_bootstrap times.

    More resamples with the same seed begin with the same ones.

    Args:
        subject_ids: [n], the patient of each stay; only the set of patients matters.
        n_bootstrap: How many resamples.
        seed: Of numpy's default generator.

    Returns:
        How often each patient was drawn [n_bootstrap, n_patients], patients in ascending order; the
        smallest unsigned type that holds n_patients.
    """
    patients = len(np.unique(subject_ids))
    rng = np.random.default_rng(seed)
    drawn = np.empty((n_bootstrap, patients), dtype=np.min_scalar_type(patients))
    for resample in range(n_bootstrap if patients else 0):
        drawn[resample] = np.bincount(rng.integers(patients, size=patients), minlength=patients)
    return drawn


@dataclass(frozen=True)
class Interval:
    """A metric with its 95 % interval.

    Attributes:
        value: Of the stays themselves; NaN where undefined.
        ci_low: NaN where value is, or where fewer than MIN_DEFINED of the resamples define it.
        ci_high: Likewise.
        n: Stays.
        n_positive: Positive stays.
        n_undefined: Resamples in which the metric is undefined; the interval leaves them out.
        reason: Why something is NaN, else None.
    """

    value: float
    ci_low: float
    ci_high: float
    n: int
    n_positive: int
    n_undefined: int
    reason: str | None


@dataclass(frozen=True)
class Difference:
    """A metric of one arm minus that of another, on the same stays.

    Attributes:
        difference: NaN where a value is.
        ci_low: As in Interval.
        ci_high: As in Interval.
        p_value: Two-sided, for a difference of 0; NaN without an interval. Not yet corrected for
            how many were asked: see multiplicity.py.
        n: Stays.
        n_positive: Positive stays.
        n_undefined: Resamples in which the metric is undefined for either arm.
        reason: Why something is NaN, else None.
    """

    difference: float
    ci_low: float
    ci_high: float
    p_value: float
    n: int
    n_positive: int
    n_undefined: int
    reason: str | None


@dataclass(frozen=True, eq=False)
class Resampled:
    """An arm's metrics on its stays and on every resample; kept to compare it with other arms.

    Attributes:
        measured: By metric.
        resamples: By metric, [n_bootstrap], NaN where undefined.
        n: Stays.
        n_positive: Positive stays.
        drawn_from: What a pair must share: patients, their stays' labels, and the seed.
    """

    measured: dict[str, Measured]
    resamples: dict[str, np.ndarray]
    n: int
    n_positive: int
    drawn_from: str

    def intervals(self) -> dict[str, Interval]:
        """The interval of each metric."""
        return {name: self._interval(name) for name in self.measured}

    def _interval(self, name: str) -> Interval:
        measured, resamples = self.measured[name], self.resamples[name]
        low, high, undefined, reason = _percentiles(resamples, measured.reason)
        return Interval(measured.value, low, high, self.n, self.n_positive, undefined, reason)

    def minus(self, other: "Resampled") -> dict[str, Difference]:
        """Paired differences of the metrics that both have.

        Raises:
            ValueError: The two are not of the same stays and resamples.
        """
        if self.drawn_from != other.drawn_from:
            raise ValueError("arms of different stays or resamples cannot be paired")
        return {name: self._minus(other, name) for name in self.measured if name in other.measured}

    def _minus(self, other: "Resampled", name: str) -> Difference:
        first, second = self.measured[name], other.measured[name]
        resamples = self.resamples[name] - other.resamples[name]
        low, high, undefined, reason = _percentiles(resamples, first.reason or second.reason)
        p_value = np.nan if np.isnan(low) else _p_value(resamples[~np.isnan(resamples)])
        return Difference(
            first.value - second.value,
            low,
            high,
            p_value,
            self.n,
            self.n_positive,
            undefined,
            reason,
        )


def resample(
    y_true: np.ndarray,
    y_score: np.ndarray,
    subject_ids: np.ndarray,
    threshold: float,
    metrics: Sequence[str] = tuple(METRICS),
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> Resampled:
    """Computes metrics of an arm on its stays and on resamples of its patients.

    The order of rows changes nothing, not even a bit. BLAS gets one thread: the matrices are
    narrow, and on busy cores a second thread waits more than it works (10 times slower was seen).

    Args:
        y_true: [n], 0 or 1.
        y_score: [n], probabilities.
        subject_ids: [n], integers, the patient of each stay.
        threshold: Predicted positive is y_score >= threshold.
        metrics: Names from METRICS.
        n_bootstrap: How many resamples.
        seed: Of the draws.

    Raises:
        ValueError: Arrays that are not labels, probabilities and patients of the same length.
        CharthouseError: There is no such metric.
    """
    y_true, y_score, subject_ids = map(np.asarray, (y_true, y_score, subject_ids))
    if not subject_ids.shape == y_true.shape == y_score.shape:
        shapes = f"{subject_ids.shape}, {y_true.shape} and {y_score.shape}"
        raise ValueError(f"subject_ids, y_true and y_score differ in shape: {shapes}")
    by_patient = np.argsort(subject_ids, kind="stable")
    y_true, y_score, subject_ids = y_true[by_patient], y_score[by_patient], subject_ids[by_patient]
    sample = Sample.of(y_true, y_score, threshold)
    patients, patient = np.unique(subject_ids, return_inverse=True)
    drawn = patient_weights(patients, n_bootstrap, seed)
    with threadpool_limits(1, user_api="blas"):
        measured = measure_sample(sample, metrics)
        parts = [
            compute(Weighted(sample, weights), metrics)
            for weights in _row_weights(drawn, patient[sample.order])
        ]
    resamples = {
        name: np.concatenate([part[name] for part in parts]) if parts else np.empty(0)
        for name in metrics
    }
    positive = int(sample.y_true.sum())
    drawn_from = _fingerprint(subject_ids, y_true, n_bootstrap, seed)
    return Resampled(measured, resamples, len(sample), positive, drawn_from)


def intervals(
    y_true: np.ndarray,
    y_score: np.ndarray,
    subject_ids: np.ndarray,
    threshold: float,
    metrics: Sequence[str] = tuple(METRICS),
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> dict[str, Interval]:
    """Metrics of an arm with 95 % intervals over patients; arguments as for resample."""
    found = resample(y_true, y_score, subject_ids, threshold, metrics, n_bootstrap, seed)
    return found.intervals()


def paired_differences(
    y_true: np.ndarray,
    y_score: np.ndarray,
    y_score_other: np.ndarray,
    subject_ids: np.ndarray,
    threshold: float,
    threshold_other: float,
    metrics: Sequence[str] = tuple(METRICS),
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> dict[str, Difference]:
    """An arm's metrics minus another's on the same stays, every resample drawn for both.

    For many pairs, resample each arm once and use Resampled.minus. Arguments as for resample; row
    by row both scores are of the same stay.
    """
    arm, other = (
        resample(y_true, scores, subject_ids, at, metrics, n_bootstrap, seed)
        for scores, at in ((y_score, threshold), (y_score_other, threshold_other))
    )
    return arm.minus(other)


def _row_weights(drawn: np.ndarray, patient: np.ndarray) -> Iterator[np.ndarray]:
    """Weights of rows [n, c] from the patients' [n_bootstrap, n_patients], a chunk at a time."""
    size = max(1, CHUNK // max(1, len(patient)))
    for first in range(0, len(drawn), size):
        yield np.ascontiguousarray(drawn[first : first + size].T)[patient]


def _percentiles(resamples: np.ndarray, reason: str | None) -> tuple[float, float, int, str | None]:
    """Low, high, how many resamples are undefined, and the reason if there is no interval."""
    defined = resamples[~np.isnan(resamples)]
    undefined = len(resamples) - len(defined)
    if reason is None and (not len(defined) or len(defined) < MIN_DEFINED * len(resamples)):
        reason = f"undefined in {undefined} of {len(resamples)} resamples"
    if reason is not None:
        return np.nan, np.nan, undefined, reason
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high), undefined, None


def _p_value(differences: np.ndarray) -> float:
    """Twice the smaller share of resamples on either side of 0, never 0 and at most 1.

    The estimate itself is counted as one more resample (Davison and Hinkley 1997, section 4.2).
    """
    smaller = min((differences <= 0).sum(), (differences >= 0).sum())
    return min(1.0, 2 * (float(smaller) + 1) / (len(differences) + 1))


def _fingerprint(subject_ids: np.ndarray, y_true: np.ndarray, n_bootstrap: int, seed: int) -> str:
    """Of the draws and of the stays' patients and labels, in any order."""
    order = np.lexsort((y_true, subject_ids))
    content = (
        subject_ids[order].astype(np.int64).tobytes() + y_true[order].astype(np.int8).tobytes()
    )
    return sha256(content + f"{n_bootstrap} {seed}".encode()).hexdigest()

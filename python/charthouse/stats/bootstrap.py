"""Bootstrap intervals over patients, and paired differences between arms.

Stays of a patient resemble each other, so patients are drawn with replacement and bring all their
stays (the cluster bootstrap: Efron and Tibshirani 1993, An Introduction to the Bootstrap; Field and
Welsh 2007, JRSS B). Intervals are the 2.5th and 97.5th percentiles of the resamples.

A difference is tested by how far resamples lie off it: a p-value is the share that lie as far off
the difference as it lies from 0, and the interval reaches as far to both sides as 95 % of them
(Hall 1988, JRSS B; Hall and Wilson 1991, Biometrics). Twice the share beyond 0, the percentiles'
p-value, fell below 0.05 in up to 8 % of trials of 150 stays of two equal arms
(benchmarks/null_comparisons.py), this one in 3 to 7 %.

What is drawn depends on the patients, their number and the seed alone, so two arms scored on the
same stays are compared on the same resamples.

An estimate keeps its value but has no interval and no p-value, and says why, where

- either outcome has fewer than MIN_PATIENTS patients among its stays (of contributions, in which
  the outcome has no part: all patients together), or what a share is a share of has (PPV: those
  that are predicted positive);
- it is the same in every resample, as the AUROC of constant scores or of scores that separate the
  classes: resamples cannot say how sure that is. Only a share of 0 or 1 has an interval then, the
  exact one of so many patients who all agree (Clopper and Pearson 1934, Biometrika).

Limits worth knowing. Percentiles of a statistic that noise can only raise are shifted: resamples
hold every difference between score and outcome once more, so the interval of ece lies above the
estimate, which for a well calibrated model may fall below it. And with few patients of a class
percentile intervals are too narrow: evaluate/precision.py warns.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np
from threadpoolctl import threadpool_limits

from charthouse.stats.metrics import (
    METRICS,
    MetricValue,
    compute_weighted,
    get_metric,
    sample_metrics,
)
from charthouse.stats.samples import DEFAULT_OPERATING_POINT, OperatingPoint, Sample, WeightedSample

LEVEL = 0.95
MIN_DEFINED = 0.9
"""Share of resamples in which a metric must be defined; otherwise there is no interval."""

MIN_PATIENTS = 10
"""Of each class; with fewer there is no interval and no p-value. The only place that says so.

Not even the exact sign test of 9 pairs that all agree can say 1 / 1001, which resamples would.
"""

SAME = "the same in every resample"
"""Why there is no interval of something that resamples do not move."""

ROUNDING = 1e-12
"""Relative width of an interval that is none."""

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
        ci_low: NaN where value is, with too few patients, where all resamples are the same, or
            where fewer than MIN_DEFINED of them define it.
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
        ci_low: As far below the difference as ci_high is above it; NaN where it is, where too few
            resamples are defined, or where the metric is untested.
        ci_high: Likewise.
        p_value: Two-sided, for a difference of 0; NaN without an interval, but 1 where no resample
            differs at all. Not yet corrected for how many were asked: see multiplicity.py.
        n: Stays.
        n_positive: Positive stays.
        n_resamples: How many there are.
        n_undefined: Resamples in which the metric is undefined for either arm.
        reason: Why something is NaN, else None.
    """

    difference: float
    ci_low: float
    ci_high: float
    p_value: float
    n: int
    n_positive: int
    n_resamples: int
    n_undefined: int
    reason: str | None


@dataclass(frozen=True, eq=False)
class BootstrapResult:
    """An arm's metrics on its stays and on every resample; kept to compare it with other arms.

    Attributes:
        measured: By metric.
        resamples: By metric, [n_bootstrap], NaN where undefined.
        n: Stays.
        n_positive: Positive stays.
        resample_key: What a pair must share: patients, their stays' labels, and the seed.
        patients: Of the class that has fewer.
        denominator_patients: By metric that is a share, the patients whose stays it is a share of.
    """

    point_estimates: dict[str, MetricValue]
    resamples: dict[str, np.ndarray]
    n: int
    n_positive: int
    resample_key: str
    patients: int
    denominator_patients: dict[str, int]

    def first(self, n: int) -> "BootstrapResult":
        """The same of the first n resamples: what n alone would have been."""
        return replace(self, resamples={name: own[:n] for name, own in self.resamples.items()})

    def intervals(self) -> dict[str, Interval]:
        """The interval of each metric."""
        return {name: self._interval(name) for name in self.point_estimates}

    def _interval(self, name: str) -> Interval:
        measured, resamples = self.point_estimates[name], self.resamples[name]
        reason = measured.reason or self.too_few_reason(name)
        low, high, undefined, reason = percentile_interval(
            resamples, reason, self.denominator_patients.get(name)
        )
        return Interval(measured.value, low, high, self.n, self.n_positive, undefined, reason)

    def too_few_reason(self, name: str) -> str | None:
        """Why a metric's patients carry no interval; None where they do."""
        return too_few_reason(self.patients) or too_few_reason(
            self.denominator_patients.get(name, MIN_PATIENTS), "that it is a share of"
        )

    def minus(
        self, other: "BootstrapResult", untested: Mapping[str, str] | None = None
    ) -> dict[str, Difference]:
        """Paired differences of the metrics that both have.

        Args:
            other: What is subtracted.
            untested: Metrics whose difference has neither interval nor p-value, and why.

        Raises:
            ValueError: The two are not of the same stays and resamples.
        """
        if self.resample_key != other.resample_key:
            raise ValueError("arms of different stays or resamples cannot be paired")
        if len({len(own) for arm in (self, other) for own in arm.resamples.values()}) > 1:
            raise ValueError("arms of different numbers of resamples cannot be paired")
        return {
            name: self._minus(other, name, (untested or {}).get(name))
            for name in self.point_estimates
            if name in other.point_estimates
        }

    def _minus(self, other: "BootstrapResult", name: str, untested: str | None) -> Difference:
        resamples = self.resamples[name] - other.resamples[name]
        pair = self.point_estimates[name], other.point_estimates[name]
        few = self.too_few_reason(name) or other.too_few_reason(name)
        return paired_difference(*pair, resamples, self.n, self.n_positive, few, untested)


@dataclass(frozen=True, eq=False)
class PatientBootstrap:
    """An arm's stays, and resamples of their patients: what curves, metrics and groups start from.

    Attributes:
        sample: n stays, whose order says where the caller had each.
        patient: [n], in the sample's order, which column of drawn.
        drawn: [n_bootstrap, n_patients], how often each patient was drawn.
        resample_key: As in Resampled.
    """

    sample: Sample
    patient: np.ndarray
    drawn: np.ndarray
    resample_key: str

    @classmethod
    def of(
        cls,
        y_true: np.ndarray,
        y_score: np.ndarray,
        subject_ids: np.ndarray,
        threshold: float,
        n_bootstrap: int,
        seed: int,
        operating_point: OperatingPoint = DEFAULT_OPERATING_POINT,
    ) -> "PatientBootstrap":
        """Draws; arguments as for resample.

        Raises:
            ValueError: Arrays that are not labels, probabilities and patients of the same length.
        """
        y_true, y_score, subject_ids = map(np.asarray, (y_true, y_score, subject_ids))
        if not subject_ids.shape == y_true.shape == y_score.shape:
            shapes = f"{subject_ids.shape}, {y_true.shape} and {y_score.shape}"
            raise ValueError(f"subject_ids, y_true and y_score differ in shape: {shapes}")
        by_patient = np.argsort(subject_ids, kind="stable")
        y_true, y_score = y_true[by_patient], y_score[by_patient]
        subject_ids = subject_ids[by_patient]
        sample = Sample.of(y_true, y_score, threshold, operating_point.subset(by_patient))
        patients, patient = np.unique(subject_ids, return_inverse=True)
        return cls(
            replace(sample, order=by_patient[sample.order]),
            patient[sample.order],
            patient_weights(patients, n_bootstrap, seed),
            _fingerprint(subject_ids, y_true, f"{seed}"),
        )

    @property
    def patients(self) -> int:
        """Of the class that has fewer."""
        return minority_class_patients(self.sample.y_true, self.patient)

    def subset(self, chosen: np.ndarray) -> "PatientBootstrap":
        """Some of the stays on the same draws; a resample may hold any number of them.

        Args:
            chosen: [n] bool, in the sample's order.
        """
        sample, of_all = self.sample.subset(chosen), self.patient[chosen]
        held, patient = np.unique(of_all, return_inverse=True)
        resample_key = _fingerprint(of_all, sample.y_true, self.resample_key)
        return PatientBootstrap(sample, patient, self.drawn.take(held, axis=1), resample_key)

    def weighted_samples(self) -> Iterator[WeightedSample]:
        """The stays under each resample's weights, a chunk of resamples at a time."""
        size = max(1, CHUNK // max(1, len(self.patient)))
        for first in range(0, len(self.drawn), size):
            by_patient = np.ascontiguousarray(self.drawn[first : first + size].T)
            yield WeightedSample(self.sample, by_patient[self.patient])

    def evaluate(
        self, metrics: Sequence[str], thresholds: Mapping[str, float] | None = None
    ) -> BootstrapResult:
        """Metrics of the stays and of every resample.

        BLAS gets one thread: the matrices are narrow, and on busy cores a second thread waits more
        than it works (10 times slower was seen).

        Args:
            metrics: Names from METRICS or RATES.
            thresholds: By metric, its threshold where that is not the sample's.

        Raises:
            CharthouseError: There is no such metric.
        """
        at = {name: (thresholds or {}).get(name, self.sample.threshold) for name in metrics}
        samples = {cut: replace(self.sample, threshold=cut) for cut in set(at.values())}
        names = {cut: [name for name in metrics if at[name] == cut] for cut in samples}
        measured: dict[str, MetricValue] = {}
        parts: list[dict[str, np.ndarray]] = []
        with threadpool_limits(1, user_api="blas"):
            for cut, sample in samples.items():
                measured |= sample_metrics(sample, names[cut])
            for rows in self.weighted_samples():
                parts.append({})
                for cut, sample in samples.items():
                    parts[-1] |= compute_weighted(WeightedSample(sample, rows.weights), names[cut])
        resamples = {
            name: np.concatenate([part[name] for part in parts]) if parts else np.empty(0)
            for name in metrics
        }
        shares = {
            name: len(np.unique(self.patient[among(samples[at[name]])]))
            for name in metrics
            if (among := get_metric(name).denominator)
        }
        return replace(
            self.all_undefined({name: measured[name] for name in metrics}),
            resamples=resamples,
            denominator_patients=shares,
        )

    def all_undefined(self, measured: Mapping[str, MetricValue]) -> BootstrapResult:
        """What was measured of the stays, undefined in every resample."""
        positive = self.sample.y_true == 1
        return BootstrapResult(
            dict(measured),
            {name: np.full(len(self.drawn), np.nan) for name in measured},
            len(self.sample),
            int(positive.sum()),
            self.resample_key,
            self.patients,
            {},
        )


def bootstrap_metrics(
    y_true: np.ndarray,
    y_score: np.ndarray,
    subject_ids: np.ndarray,
    threshold: float,
    metrics: Sequence[str] = tuple(METRICS),
    n_bootstrap: int = 1000,
    seed: int = 0,
    thresholds: Mapping[str, float] | None = None,
    operating_point: OperatingPoint = DEFAULT_OPERATING_POINT,
) -> BootstrapResult:
    """Computes metrics of an arm on its stays and on resamples of its patients.

    The order of rows changes nothing, not even a bit.

    Args:
        y_true: [n], 0 or 1.
        y_score: [n], probabilities.
        subject_ids: [n], integers, the patient of each stay.
        threshold: Predicted positive is y_score >= threshold.
        metrics: Names from METRICS or RATES.
        n_bootstrap: How many resamples.
        seed: Of the draws.
        thresholds: By metric, its threshold where that is another one.
        operating_point: Where metrics decide that decide by rank.

    Raises:
        ValueError: Arrays that are not labels, probabilities and patients of the same length.
        CharthouseError: There is no such metric.
    """
    draws = PatientBootstrap.of(
        y_true, y_score, subject_ids, threshold, n_bootstrap, seed, operating_point
    )
    return draws.evaluate(metrics, thresholds)


def paired_difference(
    first: MetricValue,
    second: MetricValue,
    resamples: np.ndarray,
    n: int,
    n_positive: int,
    few: str | None,
    untested: str | None = None,
) -> Difference:
    """First minus second, of n stays.

    Args:
        first: Of one arm.
        second: Of the other.
        resamples: Their differences [n_bootstrap], NaN where either is undefined.
        n: Stays.
        n_positive: Positive stays.
        few: Why the patients carry no interval, or None.
        untested: Why there is neither interval nor p-value, if there is to be none.
    """
    without = first.reason or second.reason or untested or few
    low, high, undefined, reason = percentile_interval(resamples, without)
    value, p_value = first.value - second.value, np.nan
    defined = resamples[~np.isnan(resamples)]
    off = np.abs(defined - value)
    if reason is None:
        half = float(np.quantile(off, LEVEL))
        low, high = value - half, value + half
    if reason is None or (reason == SAME and not defined.any()):
        p_value = _p_value(off, value)
    return Difference(value, low, high, p_value, n, n_positive, len(resamples), undefined, reason)


def minority_class_patients(y_true: np.ndarray, patient: np.ndarray) -> int:
    """Patients of the class that has fewer, of stays [n]; one with stays of both counts in both."""
    return min(len(np.unique(patient[y_true == label])) for label in (0, 1))


def too_few_reason(patients: int, of: str = "of a class") -> str | None:
    """Why so many patients carry no interval; None where they do."""
    if patients >= MIN_PATIENTS:
        return None
    return f"fewer than {MIN_PATIENTS} {f'patients {of}'.rstrip()} ({patients})"


def too_few_patients_reason(patient: np.ndarray, y_true: np.ndarray | None) -> str | None:
    """The same of stays [n]; without outcomes, of all their patients together."""
    if y_true is None:
        return too_few_reason(len(np.unique(patient)), "")
    return too_few_reason(minority_class_patients(y_true, patient))


def percentile_interval(
    resamples: np.ndarray, reason: str | None, denominator_patients: int | None = None
) -> tuple[float, float, int, str | None]:
    """The interval of resamples [n_bootstrap]; none if there already is a reason against it.

    Args:
        resamples: NaN where undefined.
        reason: Why there is none, or None.
        denominator_patients: Of a share, the patients that it is a share of.

    Returns:
        Low, high, how many resamples are undefined, and the reason if there is no interval.
    """
    defined = resamples[~np.isnan(resamples)]
    undefined = len(resamples) - len(defined)
    if reason is None and (not len(defined) or len(defined) < MIN_DEFINED * len(resamples)):
        reason = f"undefined in {undefined} of {len(resamples)} resamples"
    if reason is not None:
        return np.nan, np.nan, undefined, reason
    low, high = map(float, np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
    if high - low > ROUNDING * max(abs(low), abs(high)):
        return low, high, undefined, None
    if denominator_patients and low in (0.0, 1.0):
        return *_all_agree(low, denominator_patients), undefined, None
    return np.nan, np.nan, undefined, SAME


def _all_agree(value: float, patients: int) -> tuple[float, float]:
    """The exact interval of a share of 0 or 1.

    Stays of a patient are no further witnesses, so patients count, not stays.
    """
    further = ((1 - LEVEL) / 2) ** (1 / patients)
    return (further, 1.0) if value else (0.0, 1 - further)


def _p_value(off: np.ndarray, value: float) -> float:
    """The share of resamples that are as far off the estimate as the estimate is from 0.

    The estimate itself is counted as one more resample, so it is never 0 (Davison and Hinkley
    1997, section 4.2).
    """
    return (float((off >= abs(value) - ROUNDING).sum()) + 1) / (len(off) + 1)


def _fingerprint(patient: np.ndarray, y_true: np.ndarray, draws: str) -> str:
    """Of the draws and of the stays' patients and labels [n], in any order."""
    order = np.lexsort((y_true, patient))
    content = patient[order].astype(np.int64).tobytes() + y_true[order].astype(np.int8).tobytes()
    return sha256(content + draws.encode()).hexdigest()

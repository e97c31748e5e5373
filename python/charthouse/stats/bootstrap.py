"""Cluster bootstrap over patients: confidence intervals, and paired differences between arms.

Stays of one patient resemble each other. So each resample draws patients with replacement, and
every drawn patient brings all of their stays (the cluster bootstrap: Efron and Tibshirani 1993, An
Introduction to the Bootstrap; Field and Welsh 2007, JRSS B). An interval runs from the 2.5th to the
97.5th percentile of the resamples.

The p-value of a difference is the share of resamples that lie at least as far from the difference
as the difference lies from 0. Its interval extends equally far to both sides and holds 95 % of the
resamples (Hall 1988, JRSS B; Hall and Wilson 1991, Biometrics). The usual percentile p-value, twice
the share of resamples beyond 0, fell below 0.05 in up to 8 % of trials of 150 stays in which both
arms were equal (benchmarks/null_comparisons.py). This one did so in 3 to 7 %.

The draws depend only on the patients, their number and the seed. Two arms that scored the same
stays are therefore compared on the same resamples.

An estimate keeps its value, but has no interval and no p-value, and gives the reason, where

- either class has fewer than MIN_PATIENTS patients among the stays. Modality contributions do not
  involve the outcome: there all patients are counted together. A proportion such as PPV also needs
  as many patients in its denominator (PPV: those predicted positive);
- every resample gives the same value, such as the AUROC of constant scores, or of scores that
  separate the classes. Resampling then says nothing about uncertainty. The exception is a
  proportion of 0 or 1, which gets the exact interval for that number of agreeing patients (Clopper
  and Pearson 1934, Biometrika).

Limits. Where noise can only raise a statistic, its percentiles are shifted upwards. Resamples add
noise once more, so the interval of ece lies above the estimate, and the estimate of a well
calibrated model may fall below it. With few patients in a class, percentile intervals are too
narrow: `charthouse evaluate` prints a warning.
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
"""Proportion of resamples in which a metric must be defined; otherwise there is no interval."""

MIN_PATIENTS = 10
"""Minimum number of patients in each class for an interval or p-value. Defined only here.

With 9 patients, resamples can give p = 1 / 1001, which not even an exact sign test of 9 pairs that
all agree supports.
"""

SAME = "the same in every resample"
"""The reason for no interval where resamples do not change the value."""

ROUNDING = 1e-12
"""Relative width below which an interval counts as a point."""

CHUNK = 2**18
"""Weights, rows x resamples, processed at once: 2 MB in float64, about a core's cache."""


def patient_weights(subject_ids: np.ndarray, n_bootstrap: int = 1000, seed: int = 0) -> np.ndarray:
    """Draws as many of the stays' [n] patients as there are, with replacement, n_bootstrap times.

    Asking for more resamples with the same seed extends the list: the first ones stay the same.

    Returns:
        How often each patient was drawn [n_bootstrap, n_patients], patients in ascending order. The
        type is the smallest unsigned one that holds n_patients.

    Example:
        >>> patient_weights(np.array([7, 7, 8, 9]), n_bootstrap=2, seed=0).sum(axis=1).tolist()
        [3, 3]
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

    Both bounds are NaN where the value is, where there are too few patients, where all resamples
    are equal, or where fewer than MIN_DEFINED of them define the metric.
    """

    value: float  # of the stays themselves; NaN where undefined
    ci_low: float
    ci_high: float
    n: int  # stays
    n_positive: int
    n_undefined: int  # resamples in which the metric is undefined; the interval leaves them out
    reason: str | None  # why the value or the interval is NaN


@dataclass(frozen=True)
class Difference:
    """A metric of one arm minus that of another, on the same stays.

    The bounds are equally far from the difference. They are NaN where it is, where too few
    resamples are defined, or where the metric has no valid test. The p-value is two-sided, for a
    difference of 0, and not corrected for multiple comparisons (see multiplicity.py). It is NaN
    without an interval, but 1 where no resample differs at all.
    """

    difference: float  # NaN where either value is
    ci_low: float
    ci_high: float
    p_value: float
    n: int  # stays
    n_positive: int
    n_resamples: int
    n_undefined: int  # resamples in which the metric is undefined for either arm
    reason: str | None  # why something is NaN


@dataclass(frozen=True, eq=False)
class BootstrapResult:
    """An arm's metrics on its stays and on every resample. Keep it to compare the arm with others.

    Two arms can only be paired if their resample_key is equal: a hash of the patients, their stays'
    labels and the seed.
    """

    point_estimates: dict[str, MetricValue]  # of the stays themselves
    resamples: dict[str, np.ndarray]  # by metric, [n_bootstrap], NaN where undefined
    n: int  # stays
    n_positive: int
    resample_key: str
    patients: int  # of the class that has fewer
    denominator_patients: dict[str, int]  # of each metric that is a proportion

    def first(self, n: int) -> "BootstrapResult":
        """The same result with only the first n resamples, as if n_bootstrap had been n."""
        return replace(self, resamples={name: own[:n] for name, own in self.resamples.items()})

    def intervals(self) -> dict[str, Interval]:
        """The 95 % interval of each metric, by name."""
        found = {}
        for name, measured in self.point_estimates.items():
            low, high, undefined, reason = percentile_interval(
                self.resamples[name],
                measured.reason or self.too_few_reason(name),
                self.denominator_patients.get(name),
            )
            found[name] = Interval(
                measured.value, low, high, self.n, self.n_positive, undefined, reason
            )
        return found

    def too_few_reason(self, name: str) -> str | None:
        """Why a metric has too few patients for an interval; None where it has enough."""
        return too_few_reason(self.patients) or too_few_reason(
            self.denominator_patients.get(name, MIN_PATIENTS), "that it is a share of"
        )

    def minus(
        self, other: "BootstrapResult", untested: Mapping[str, str] | None = None
    ) -> dict[str, Difference]:
        """Paired differences (this arm minus the other), by name, for the metrics that both have.

        `untested` are metrics whose difference gets neither interval nor p-value, with the reason.

        Raises:
            ValueError: The two results are not of the same stays and resamples.
        """
        if self.resample_key != other.resample_key:
            raise ValueError("arms of different stays or resamples cannot be paired")
        if len({len(own) for arm in (self, other) for own in arm.resamples.values()}) > 1:
            raise ValueError("arms of different numbers of resamples cannot be paired")
        return {
            name: paired_difference(
                first,
                other.point_estimates[name],
                self.resamples[name] - other.resamples[name],
                self.n,
                self.n_positive,
                self.too_few_reason(name) or other.too_few_reason(name),
                (untested or {}).get(name),
            )
            for name, first in self.point_estimates.items()
            if name in other.point_estimates
        }


@dataclass(frozen=True, eq=False)
class PatientBootstrap:
    """Scored stays with resamples of their patients: the input of metrics, curves and groups."""

    sample: Sample  # the n stays, sorted; its `order` gives the caller's position of each
    patient: np.ndarray  # [n], in the sample's order, the stay's column of `drawn`
    drawn: np.ndarray  # [n_bootstrap, n_patients], how often each patient was drawn
    resample_key: str  # as in BootstrapResult

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
        """Sorts the stays and draws the patients; arguments and errors of bootstrap_metrics."""
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
        """Number of patients of the class that has fewer."""
        return minority_class_patients(self.sample.y_true, self.patient)

    def subset(self, chosen: np.ndarray) -> "PatientBootstrap":
        """The chosen stays [n] bool, in the sample's order, with the same draws.

        A resample may hold any number of them.
        """
        sample, of_all = self.sample.subset(chosen), self.patient[chosen]
        held, patient = np.unique(of_all, return_inverse=True)
        resample_key = _fingerprint(of_all, sample.y_true, self.resample_key)
        return PatientBootstrap(sample, patient, self.drawn.take(held, axis=1), resample_key)

    def weighted_samples(self) -> Iterator[WeightedSample]:
        """The stays under each resample's weights, one chunk of resamples at a time."""
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

        Raises:
            CharthouseError: There is no such metric.
        """
        at = {name: (thresholds or {}).get(name, self.sample.threshold) for name in metrics}
        samples = {cut: replace(self.sample, threshold=cut) for cut in set(at.values())}
        names = {cut: [name for name in metrics if at[name] == cut] for cut in samples}
        measured: dict[str, MetricValue] = {}
        parts: dict[str, list[np.ndarray]] = {name: [np.empty(0)] for name in metrics}
        with threadpool_limits(1, user_api="blas"):
            for cut, sample in samples.items():
                measured |= sample_metrics(sample, names[cut])
            for rows in self.weighted_samples():
                for cut, sample in samples.items():
                    same = WeightedSample(sample, rows.weights)
                    for name, values in compute_weighted(same, names[cut]).items():
                        parts[name].append(values)
        return replace(
            self.all_undefined({name: measured[name] for name in metrics}),
            resamples={name: np.concatenate(part) for name, part in parts.items()},
            denominator_patients={
                name: len(np.unique(self.patient[among(samples[at[name]])]))
                for name in metrics
                if (among := get_metric(name).denominator)
            },
        )

    def all_undefined(self, measured: Mapping[str, MetricValue]) -> BootstrapResult:
        """A result that keeps these point estimates and is undefined in every resample."""
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
    """Computes metrics on an arm's stays and on resamples of its patients.

    The order of the rows does not change the result, not even in the last bit.

    Args:
        y_true: [n], 0 or 1.
        y_score: [n], probabilities in [0, 1].
        subject_ids: [n], integers, the patient of each stay.
        threshold: A stay is predicted positive when y_score >= threshold.
        metrics: Names from METRICS or RATES.
        n_bootstrap: Number of resamples.
        seed: Seed of the draws.
        thresholds: By metric, its decision threshold where that is another one.
        operating_point: Alert rate and sensitivity of the metrics that decide by rank.

    Raises:
        ValueError: The arrays are not labels, probabilities and patients of the same length.
        CharthouseError: There is no such metric.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> subject_ids = np.arange(200) // 2  # two stays a patient
        >>> y_true = rng.integers(0, 2, 200)
        >>> good = np.clip(0.3 * y_true + rng.uniform(0, 0.7, 200), 0, 1)
        >>> noise = rng.uniform(size=200)
        >>> arm = bootstrap_metrics(y_true, good, subject_ids, 0.5, ["auroc"], n_bootstrap=200)
        >>> auroc = arm.intervals()["auroc"]
        >>> f"{auroc.value:.2f} [{auroc.ci_low:.2f}, {auroc.ci_high:.2f}]"
        '0.85 [0.80, 0.89]'
        >>> other = bootstrap_metrics(y_true, noise, subject_ids, 0.5, ["auroc"], n_bootstrap=200)
        >>> arm.minus(other)["auroc"].p_value < 0.05
        True
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
    """First minus second, with interval and p-value.

    Args:
        first: The metric of one arm.
        second: The metric of the other arm.
        resamples: Differences of the resamples [n_bootstrap], NaN where either is undefined.
        n: Number of stays.
        n_positive: Number of positive stays.
        few: Why there are too few patients for an interval, or None.
        untested: Why there is to be neither interval nor p-value, or None.
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
        # The estimate counts as one more resample, so that the p-value is never 0 (Davison and
        # Hinkley 1997, section 4.2).
        p_value = (float((off >= abs(value) - ROUNDING).sum()) + 1) / (len(off) + 1)
    return Difference(value, low, high, p_value, n, n_positive, len(resamples), undefined, reason)


def minority_class_patients(y_true: np.ndarray, patient: np.ndarray) -> int:
    """Number of patients of the class that has fewer; who has stays of both counts in both.

    Args:
        y_true: [n], 0 or 1.
        patient: [n], the patient of each stay.
    """
    return min(len(np.unique(patient[y_true == label])) for label in (0, 1))


def too_few_reason(patients: int, of: str = "of a class") -> str | None:
    """Why that many patients are too few for an interval; None where they are enough."""
    if patients >= MIN_PATIENTS:
        return None
    return f"fewer than {MIN_PATIENTS} {f'patients {of}'.rstrip()} ({patients})"


def too_few_patients_reason(patient: np.ndarray, y_true: np.ndarray | None) -> str | None:
    """Why these stays have too few patients for an interval; None where they have enough.

    Args:
        patient: [n], the patient of each stay.
        y_true: [n], 0 or 1, to require enough patients of each class; None to count all together.
    """
    if y_true is None:
        return too_few_reason(len(np.unique(patient)), "")
    return too_few_reason(minority_class_patients(y_true, patient))


def percentile_interval(
    resamples: np.ndarray, reason: str | None, denominator_patients: int | None = None
) -> tuple[float, float, int, str | None]:
    """The 95 % percentile interval of resamples, unless there is a reason against one.

    Args:
        resamples: [n_bootstrap], NaN where undefined.
        reason: Why there is to be no interval, or None.
        denominator_patients: For a proportion, the patients in its denominator.

    Returns:
        Lower bound, upper bound, number of undefined resamples, and why there is no interval.
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
        # exact; further stays of a patient are not independent evidence, so patients count
        further = ((1 - LEVEL) / 2) ** (1 / denominator_patients)
        return (further, 1.0, undefined, None) if low else (0.0, 1 - further, undefined, None)
    return np.nan, np.nan, undefined, SAME


def _fingerprint(patient: np.ndarray, y_true: np.ndarray, draws: str) -> str:
    """A hash of the draws and of the stays' patients and labels [n], in any order."""
    order = np.lexsort((y_true, patient))
    content = patient[order].astype(np.int64).tobytes() + y_true[order].astype(np.int8).tobytes()
    return sha256(content + draws.encode()).hexdigest()

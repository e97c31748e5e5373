"""All metrics, each defined once, for one sample or for all of its resamples.

y_true is 0 or 1, and y_score is a probability. A stay is predicted positive when y_score >=
threshold, here and everywhere else. With the four cells of the confusion matrix TP, FP, TN and FN:

- auroc: P(a positive scores above a negative) + P(they tie) / 2 (Hanley and McNeil 1982,
  Radiology); equals scikit-learn's roc_auc_score.
- auprc: average precision, the sum over scores of (gain in recall) x (precision there), with ties
  taken together and no interpolation; equals scikit-learn's average_precision_score.
- accuracy (TP + TN) / n; sensitivity TP / (TP + FN); specificity TN / (TN + FP);
  ppv TP / (TP + FP); f1 2 TP / (2 TP + FP + FN).
- in RATES, by the names that fairness uses: tpr, the sensitivity; fpr FP / (TN + FP), which is
  1 - specificity; selection_rate (TP + FP) / n.
- by rank, at the same operating point for every arm: sensitivity_at_alert_rate and
  ppv_at_alert_rate alert a given proportion of stays, those with the highest scores.
  specificity_at_sensitivity finds a given proportion of positives. Each resample finds the point
  anew. Stays whose equal scores tie for the last alerts are each alerted in part, as if drawn by
  lot (the straight line between two points of the ROC curve: Fawcett 2006, Pattern Recognition
  Letters). So the order of rows does not matter. For constant scores the sensitivity is the alert
  rate, the ppv is the prevalence, and the specificity is 1 - the sensitivity.
- brier: mean of (y_score - y_true)^2 (Brier 1950, Monthly Weather Review).
- calibration_slope, calibration_intercept: see calibration.py.
- ece: expected calibration error over 10 bins of equal width: the mean over stays of
  |observed proportion of positives - mean score| in their bin (Naeini et al. 2015, AAAI).

A metric without a value is NaN, with the reason. This includes auprc with a single class, for which
scikit-learn returns 0 or 1: a number that says nothing about the scores.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from charthouse.core.errors import CharthouseError
from charthouse.stats.samples import DEFAULT_OPERATING_POINT, OperatingPoint, Sample, WeightedSample


@dataclass(frozen=True)
class Requirement:
    """A condition that a metric needs."""

    met: Callable[[WeightedSample], np.ndarray]  # whether each of c weightings meets it [c]
    message: str  # why the metric has no value otherwise


ROWS = Requirement(lambda rows: rows.total > 0, "no stays")
POSITIVES = Requirement(lambda rows: rows.positives > 0, "no positive stay")
NEGATIVES = Requirement(lambda rows: rows.negatives > 0, "no negative stay")
PREDICTED = Requirement(lambda rows: rows.predicted > 0, "nothing is predicted positive")
ALERTED = Requirement(lambda rows: rows.alerted > 0, "nothing is alerted")
VARIES = Requirement(
    lambda rows: np.full(rows.total.shape, rows.sample.varies), "all scores are the same"
)
OVERLAPS = Requirement(
    lambda rows: np.full(rows.total.shape, rows.sample.overlaps), "the scores separate the classes"
)
NO_FIT = "the calibration regression did not converge"
SLOPE = Requirement(lambda rows: ~np.isnan(rows.slope), NO_FIT)
INTERCEPT = Requirement(lambda rows: ~np.isnan(rows.intercept), NO_FIT)
BOTH_CLASSES = (ROWS, POSITIVES, NEGATIVES)


@dataclass(frozen=True)
class Metric:
    """How a metric is computed for many weightings at once, and what it requires."""

    compute: Callable[[WeightedSample], np.ndarray]  # values [c]
    requirements: tuple[Requirement, ...]  # where one is not met it is NaN; the most basic first
    denominator: Callable[[Sample], np.ndarray] | None = None  # of a proportion: its rows, bool [n]


def _auroc(rows: WeightedSample) -> np.ndarray:
    own, positives, to_end, above = rows.ranked
    negatives_to_end, negatives_above = to_end - positives, above - (positives - own)
    negatives = rows.negatives.astype(np.int64)
    twice = (own * (2 * negatives - negatives_to_end - negatives_above)).sum(axis=0)  # exact
    return twice / (2 * rows.positives * rows.negatives)


def _auprc(rows: WeightedSample) -> np.ndarray:
    own, positives, to_end, _ = rows.ranked
    return (own * positives / np.maximum(to_end, 1)).sum(axis=0) / rows.positives


def _alerted(sample: Sample) -> np.ndarray:
    n = len(sample) * sample.operating_point.alert_rate
    if (others := sample.operating_point.match_alerts_of) is not None:
        n = others.sum()
    return np.searchsorted(-sample.y_score, -sample.y_score) < n


METRICS: dict[str, Metric] = {
    "auroc": Metric(_auroc, BOTH_CLASSES),
    "auprc": Metric(_auprc, BOTH_CLASSES),
    "sensitivity_at_alert_rate": Metric(
        lambda rows: rows.alerted_positives / rows.positives,
        (ROWS, POSITIVES),
        lambda sample: sample.y_true == 1,
    ),
    "ppv_at_alert_rate": Metric(
        lambda rows: rows.alerted_positives / rows.alerted, (ROWS, ALERTED), _alerted
    ),
    "specificity_at_sensitivity": Metric(
        lambda rows: 1 - rows.false_alerts / rows.negatives,
        BOTH_CLASSES,
        lambda sample: sample.y_true == 0,
    ),
    "accuracy": Metric(
        lambda rows: (rows.true_positives + rows.true_negatives) / rows.total,
        (ROWS,),
        lambda sample: sample.y_true >= 0,
    ),
    "sensitivity": Metric(
        lambda rows: rows.true_positives / rows.positives,
        (ROWS, POSITIVES),
        lambda sample: sample.y_true == 1,
    ),
    "specificity": Metric(
        lambda rows: rows.true_negatives / rows.negatives,
        (ROWS, NEGATIVES),
        lambda sample: sample.y_true == 0,
    ),
    "ppv": Metric(
        lambda rows: rows.true_positives / rows.predicted,
        (ROWS, PREDICTED),
        lambda sample: sample.y_score >= sample.threshold,
    ),
    "f1": Metric(
        lambda rows: 2 * rows.true_positives / (rows.predicted + rows.positives), (ROWS, POSITIVES)
    ),
    "brier": Metric(lambda rows: rows.errors[0] / rows.total, (ROWS,)),
    "calibration_slope": Metric(lambda rows: rows.slope, (*BOTH_CLASSES, VARIES, OVERLAPS, SLOPE)),
    "calibration_intercept": Metric(lambda rows: rows.intercept, (*BOTH_CLASSES, INTERCEPT)),
    "ece": Metric(lambda rows: np.abs(rows.errors[1:]).sum(axis=0) / rows.total, (ROWS,)),
}
"""The metrics of an arm, unless others are requested."""

RATES: dict[str, Metric] = {
    "tpr": METRICS["sensitivity"],
    "fpr": Metric(
        lambda rows: (rows.predicted - rows.true_positives) / rows.negatives,
        (ROWS, NEGATIVES),
        lambda sample: sample.y_true == 0,
    ),
    "selection_rate": Metric(
        lambda rows: rows.predicted / rows.total, (ROWS,), lambda sample: sample.y_true >= 0
    ),
}
"""Metrics that compare groups, besides some of METRICS."""


@dataclass(frozen=True)
class MetricValue:
    """The value of a metric; NaN with a reason where it has none."""

    value: float
    reason: str | None = None


def compute_weighted(rows: WeightedSample, metrics: Sequence[str]) -> dict[str, np.ndarray]:
    """Metrics of every weighting, each [c]; NaN where undefined.

    Raises:
        CharthouseError: There is no such metric.
    """
    found = {}
    for name in metrics:
        metric = get_metric(name)
        met = all_met(rows, metric.requirements)
        with np.errstate(divide="ignore", invalid="ignore"):
            found[name] = np.where(met, metric.compute(rows), np.nan)
    return found


def all_met(rows: WeightedSample, requirements: Sequence[Requirement]) -> np.ndarray:
    """Whether each weighting meets all of them [c]."""
    return np.logical_and.reduce([need.met(rows) for need in requirements])


def sample_metrics(sample: Sample, metrics: Sequence[str]) -> dict[str, MetricValue]:
    """Metrics of a sample, with every row counted once.

    Raises:
        CharthouseError: There is no such metric.
    """
    rows = unweighted(sample)
    return {
        name: MetricValue(
            float(value), unmet(rows, get_metric(name).requirements) if np.isnan(value) else None
        )
        for name, (value,) in compute_weighted(rows, metrics).items()
    }


def unweighted(sample: Sample) -> WeightedSample:
    """The sample with every row counted once."""
    return WeightedSample(sample, np.ones((len(sample), 1), dtype=np.uint8))


def unmet(rows: WeightedSample, requirements: Sequence[Requirement]) -> str | None:
    """The first requirement that the single weighting does not meet, as a reason."""
    return next((need.message for need in requirements if not need.met(rows)[0]), None)


def compute_metrics(
    y_true: np.ndarray,
    y_score: np.ndarray,
    threshold: float,
    metrics: Sequence[str] = tuple(METRICS),
    operating_point: OperatingPoint = DEFAULT_OPERATING_POINT,
) -> dict[str, MetricValue]:
    """Computes metrics of scored stays, without intervals.

    Args:
        y_true: [n], 0 or 1.
        y_score: [n], probabilities in [0, 1].
        threshold: A stay is predicted positive when y_score >= threshold.
        metrics: Names from METRICS or RATES.
        operating_point: Alert rate and sensitivity of the metrics that decide by rank.

    Returns:
        The value of each metric by name, in the order requested.

    Raises:
        ValueError: The arrays are not labels and probabilities of the same length.
        CharthouseError: There is no such metric.

    Example:
        >>> y_true, y_score = np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])
        >>> found = compute_metrics(y_true, y_score, 0.5, ["auroc", "auprc", "brier"])
        >>> {name: round(metric.value, 3) for name, metric in found.items()}
        {'auroc': 0.75, 'auprc': 0.833, 'brier': 0.158}
        >>> compute_metrics(y_true, y_score, 0.9, ["ppv"])["ppv"].reason
        'nothing is predicted positive'
    """
    return sample_metrics(Sample.of(y_true, y_score, threshold, operating_point), metrics)


def get_metric(name: str) -> Metric:
    """Looks up a metric by its name.

    Raises:
        CharthouseError: There is no such metric; the message lists all.
    """
    known = METRICS | RATES
    if name not in known:
        raise CharthouseError(f"Unknown metric '{name}'. There are: {', '.join(known)}")
    return known[name]


def choose_threshold(y_true: np.ndarray, y_score: np.ndarray) -> float:
    """The threshold with the highest sensitivity + specificity - 1 (Youden 1950, Cancer).

    Choose it on validation stays. Every score that occurs is a candidate. Of equally good ones the
    lowest wins, which misses the fewest positives. The comparison is in integers, so ties are
    exact.

    Args:
        y_true: [n], 0 or 1.
        y_score: [n], probabilities in [0, 1].

    Returns:
        One of the scores.

    Raises:
        CharthouseError: There is only one class, so that no threshold is better than another.
        ValueError: The arrays are not labels and probabilities of the same length.

    Example:
        >>> choose_threshold(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]))
        0.35
    """
    sample = Sample.of(y_true, y_score, threshold=0.5)
    positives = int(sample.y_true.sum())
    negatives = len(sample) - positives
    if not positives or not negatives:
        missing = "positive" if not positives else "negative"
        raise CharthouseError(
            f"No threshold can be chosen: none of the {len(sample)} validation stays is {missing}. "
            "Give a threshold, or a larger cohort."
        )
    last = np.append(np.flatnonzero(np.diff(sample.y_score)), len(sample) - 1)
    above = np.cumsum(sample.y_true.astype(np.int64))[last]
    youden = above * negatives - (last + 1 - above) * positives  # times positives * negatives
    return float(sample.y_score[last[np.flatnonzero(youden == youden.max())[-1]]])

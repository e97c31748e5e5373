"""ROC, precision-recall and calibration curves, with 95 % bands over resamples of the patients.

Bands are pointwise: at each x, the band is the interval of that y alone. The resamples are those of
bootstrap.py, so a band belongs to the same resamples as the metrics' intervals. The limits of
percentile intervals that are described there hold at each point. A band ends where all resamples
are equal.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from charthouse.stats.bootstrap import PatientBootstrap, percentile_interval, too_few_reason
from charthouse.stats.metrics import BOTH_CLASSES, all_met, unmet, unweighted
from charthouse.stats.samples import WeightedSample

POINTS = 101
BINS = 10
ANY = 0.5  # a curve covers all thresholds, so this one is not used


@dataclass(frozen=True, eq=False)
class Curve:
    """A curve with its band; all [points]."""

    x: np.ndarray
    y: np.ndarray  # of the stays themselves; NaN where undefined
    low: np.ndarray  # edge of the band; NaN where y is, or where too few resamples define it
    high: np.ndarray  # likewise
    n: np.ndarray  # stays behind the point
    reasons: tuple[str | None, ...]  # why y or its interval is NaN


def roc_curve(
    y_true: np.ndarray,
    y_score: np.ndarray,
    subject_ids: np.ndarray,
    n_bootstrap: int = 1000,
    seed: int = 0,
    points: int = POINTS,
) -> Curve:
    """True positive rate at given false positive rates (Fawcett 2006, Pattern Recognition Letters).

    The rates of the scores are joined by straight lines, and equal scores are one step, so the area
    below the curve is the AUROC. Where the curve is vertical, its upper end counts: at x = 0, y is
    the highest rate without a false positive. The curve is drawn from (0, 0).

    Args:
        y_true: [n], 0 or 1.
        y_score: [n], probabilities in [0, 1].
        subject_ids: [n], integers, the patient of each stay.
        n_bootstrap: Number of resamples.
        seed: Seed of the draws.
        points: Number of x, evenly spaced from 0 to 1; 2 or more.

    Returns:
        x: false positive rates; y: true positive rates.

    Raises:
        ValueError: The arrays are not labels, probabilities and patients of the same length.

    Example:
        >>> y_true, y_score = np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])
        >>> curve = roc_curve(y_true, y_score, np.arange(4), n_bootstrap=20, points=5)
        >>> curve.y.tolist()
        [0.5, 0.5, 1.0, 1.0, 1.0]
        >>> curve.reasons[0]
        'fewer than 10 patients of a class (2)'
    """
    x = np.arange(points) / (points - 1)  # rounded as rates are, so that equal fractions are equal

    def at_x(rows: WeightedSample) -> np.ndarray:
        # Only scores that a positive has raise the curve: it is flat from each one's end to the
        # next one's start.
        own, positives, to_end, above = rows.ranked
        corners = np.empty((2 * len(own) + 2, 2, len(rows.total)))  # of false and true positives
        corners[0] = 0
        corners[1:-1:2, 0], corners[1:-1:2, 1] = above - (positives - own), positives - own
        corners[2:-1:2, 0], corners[2:-1:2, 1] = to_end - positives, positives
        corners[-1] = rows.negatives, rows.positives

        def sensitivity(c: int) -> np.ndarray:
            false_positives, true_positives = (corners[:, :, c] / corners[-1, :, c]).T
            return np.interp(
                x, false_positives, true_positives
            )  # of equal x the last: the upper end

        return _of_both_classes(rows, points, sensitivity)

    draws = PatientBootstrap.of(y_true, y_score, subject_ids, ANY, n_bootstrap, seed)
    return _with_band(draws, x, at_x)


def precision_recall_curve(
    y_true: np.ndarray,
    y_score: np.ndarray,
    subject_ids: np.ndarray,
    n_bootstrap: int = 1000,
    seed: int = 0,
    points: int = POINTS,
) -> Curve:
    """Precision at given recalls: the step function whose integral is the AUPRC.

    At recall r it is the precision of the highest score at which the recall is at least r. A step
    therefore holds from the previous recall, excluded, to its own. Straight lines between the steps
    would be too high (Davis and Goadrich 2006, ICML). At recall 0, y is the precision where the
    first positive is found, not the 1 that scikit-learn sets there.

    Arguments and errors are those of roc_curve; x are recalls, y precisions.

    Example:
        >>> y_true, y_score = np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])
        >>> curve = precision_recall_curve(y_true, y_score, np.arange(4), n_bootstrap=20, points=3)
        >>> curve.x.tolist(), curve.y.round(2).tolist()
        ([0.0, 0.5, 1.0], [1.0, 1.0, 0.67])
    """
    steps = np.arange(points)

    def at_x(rows: WeightedSample) -> np.ndarray:
        _, positives, to_end, _ = rows.ranked
        total = rows.positives.astype(np.int64)
        # recall >= step / (points - 1), in integers
        needed = np.maximum(1, -(-steps[:, None] * total // (points - 1)))

        def precision(c: int) -> np.ndarray:
            found = np.searchsorted(positives[:, c], needed[:, c])
            return positives[found, c] / to_end[found, c]

        return _of_both_classes(rows, points, precision)

    draws = PatientBootstrap.of(y_true, y_score, subject_ids, ANY, n_bootstrap, seed)
    return _with_band(draws, steps / (points - 1), at_x)


def calibration_curve(
    y_true: np.ndarray,
    y_score: np.ndarray,
    subject_ids: np.ndarray,
    n_bootstrap: int = 1000,
    seed: int = 0,
    bins: int = BINS,
) -> Curve:
    """Observed proportion of positives against the mean score, in bins of about equal size.

    Bin edges are quantiles of the scores, and a bin includes its upper edge, as in scikit-learn's
    strategy "quantile". Equal scores stay together, so with many ties some bins are larger, and
    empty bins are dropped. All resamples use the bins of the stays themselves. A single class has a
    curve too.

    Arguments and errors are those of roc_curve, but that there are at most ``bins`` points. x are
    the mean scores of the bins, ascending; y their proportions of positives; n their stays.

    Example:
        >>> y_true, y_score = np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])
        >>> curve = calibration_curve(y_true, y_score, np.arange(4), n_bootstrap=20, bins=2)
        >>> curve.x.round(3).tolist(), curve.y.tolist(), curve.n.tolist()
        ([0.225, 0.6], [0.5, 0.5], [2, 2])
    """
    draws = PatientBootstrap.of(y_true, y_score, subject_ids, ANY, n_bootstrap, seed)
    if not len(sample := draws.sample):
        nothing = np.empty(0)
        return Curve(nothing, nothing, nothing, nothing, np.empty(0, dtype=int), ())
    edges = np.percentile(sample.y_score, np.linspace(0, 100, bins + 1))[1:-1]
    # the sample is sorted, highest score first: bins are stretches of it
    starts = np.flatnonzero(np.diff(np.searchsorted(edges, sample.y_score), prepend=-1))
    n = np.diff(starts, append=len(sample))

    def share(rows: WeightedSample) -> np.ndarray:
        total = np.add.reduceat(rows.weights, starts, axis=0, dtype=np.int64)
        positive = np.add.reduceat(
            rows.weights * (sample.y_true[:, None] == 1), starts, axis=0, dtype=np.int64
        )
        with np.errstate(invalid="ignore"):  # nothing of the bin was drawn
            return (positive / total)[::-1]

    mean_score = np.add.reduceat(sample.y_score, starts) / n
    patients = [len(np.unique(of_bin)) for of_bin in np.split(draws.patient, starts[1:])]
    return _with_band(draws, mean_score[::-1], share, n[::-1], patients[::-1])


def _with_band(
    draws: PatientBootstrap,
    x: np.ndarray,
    at_x: Callable[[WeightedSample], np.ndarray],
    n: np.ndarray | None = None,
    denominator_patients: Sequence[int] | None = None,
) -> Curve:
    """The curve of the stays, with the percentiles of the resamples' curves.

    `at_x` computes y [points, c] of c weightings at x [points]; NaN where undefined. `n` are the
    stays behind each point (None: all), and, where y are proportions, `denominator_patients` the
    patients in each denominator.
    """
    stays = unweighted(draws.sample)
    missing, y = unmet(stays, BOTH_CLASSES), at_x(stays)[:, 0]
    drawn = np.hstack([np.empty((len(x), 0)), *map(at_x, draws.weighted_samples())])
    few = too_few_reason(draws.patients)
    shares: Sequence[int | None] = denominator_patients or [None] * len(x)
    low, high, reasons = np.empty(len(x)), np.empty(len(x)), []
    for at, of in enumerate(shares):
        few_here = few or (too_few_reason(of, "in the bin") if of else None)
        why = missing if np.isnan(y[at]) else few_here
        low[at], high[at], _, reason = percentile_interval(drawn[at], why, of)
        reasons.append(reason)
    n = np.full(len(x), len(draws.sample)) if n is None else n
    return Curve(x, y, low, high, n, tuple(reasons))


def _of_both_classes(
    rows: WeightedSample, points: int, of: Callable[[int], np.ndarray]
) -> np.ndarray:
    """Applies `of` to every weighting that holds both classes: y [points, c], NaN elsewhere."""
    y = np.full((points, len(rows.total)), np.nan)
    for c in np.flatnonzero(all_met(rows, BOTH_CLASSES)).tolist():
        y[:, c] = of(c)
    return y

"""Ratios of sums over stays, means included, with bootstrap intervals over patients.

A resample of a sum is one product: how often each patient was drawn, times that patient's own sum.
So many sums are resampled at once. Draws and percentiles are those of bootstrap.py.
"""

from collections.abc import Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from charthouse.stats.bootstrap import (
    Interval,
    patient_weights,
    percentile_interval,
    too_few_patients_reason,
)


def bootstrap_ratios(
    numerators: np.ndarray,
    denominators: np.ndarray,
    subject_ids: np.ndarray,
    n_bootstrap: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """The sum of each numerator over the sum of the denominators, for the stays and every resample.

    Arguments are those of ratio_intervals.

    Returns:
        Ratios of the stays [k] and of every resample [n_bootstrap, k]; NaN where the denominators
        sum to 0.
    """
    patients, patient = np.unique(subject_ids, return_inverse=True)
    drawn = patient_weights(patients, n_bootstrap, seed).astype(np.float64)
    sums = np.zeros((len(patients), numerators.shape[1] + 1))
    np.add.at(sums, patient, np.column_stack([numerators, denominators]))
    with threadpool_limits(1, user_api="blas"):  # narrow, as in bootstrap.py
        both = np.vstack([sums.sum(axis=0), drawn @ sums])
    whole = both[:, -1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(whole > 0, both[:, :-1] / whole, np.nan)
    return ratios[0], ratios[1:]


def ratio_intervals(
    numerators: np.ndarray,
    denominators: np.ndarray,
    y_true: np.ndarray,
    subject_ids: np.ndarray,
    n_bootstrap: int,
    seed: int,
    undefined_reason: str,
    *,
    per_class: bool = False,
) -> Sequence[Interval]:
    """Ratios of sums over stays, k of them, with 95 % intervals.

    Args:
        numerators: [n, k].
        denominators: [n], none negative; ones give means.
        y_true: [n], 0 or 1.
        subject_ids: [n], integers, the patient of each stay.
        n_bootstrap: Number of resamples.
        seed: Seed of the draws.
        undefined_reason: What it means that the denominators sum to 0.
        per_class: Whether an interval needs enough patients of each class, not only in total.

    Example:
        >>> numerators, y_true = np.arange(40.0).reshape(40, 1), np.arange(40) % 2
        >>> ones, ids = np.ones(40), np.arange(40)
        >>> (mean,) = ratio_intervals(numerators, ones, y_true, ids, 200, 0, "no stays")
        >>> mean.value, bool(mean.ci_low < mean.value < mean.ci_high)
        (19.5, True)
    """
    values, resamples = bootstrap_ratios(numerators, denominators, subject_ids, n_bootstrap, seed)
    n, n_positive = len(y_true), int(y_true.sum())
    few = too_few_patients_reason(subject_ids, y_true if per_class else None)
    found = []
    for value, drawn in zip(values, resamples.T, strict=True):
        low, high, undefined, reason = percentile_interval(
            drawn, undefined_reason if np.isnan(value) else few
        )
        found.append(Interval(float(value), low, high, n, n_positive, undefined, reason))
    return found

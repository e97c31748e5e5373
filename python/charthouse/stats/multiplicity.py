"""Holm's correction of p-values for multiple comparisons."""

from collections.abc import Sequence

import numpy as np

from charthouse.core.errors import CharthouseError

RESAMPLES_PER_COMPARISON = 40
"""Resamples for each comparison that is corrected together.

The smallest p-value of n resamples is 1 / (n + 1); corrected for m comparisons about m / n. With
fewer than 20 per comparison no effect, however large, could have p < 0.05; 40 leave a margin.
"""


def resamples_needed(n_bootstrap: int, n_comparisons: int) -> int:
    """Number of resamples that so many comparisons need; never fewer than n_bootstrap.

    Example:
        >>> resamples_needed(1000, 51)
        2040
    """
    return max(n_bootstrap, RESAMPLES_PER_COMPARISON * n_comparisons)


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Holm-corrected p-values (Holm 1979, Scandinavian Journal of Statistics).

    The k-th smallest of m p-values [m] is multiplied by m - k + 1. None becomes smaller than the
    one before it, or larger than 1. NaN, a comparison without a p-value, stays NaN and does not
    count. It equals statsmodels' multipletests(method="holm"). The order stays the same.

    Raises:
        CharthouseError: A p-value lies outside [0, 1].

    Example:
        >>> holm([0.01, 0.04, 0.03, float("nan")]).round(4).tolist()
        [0.03, 0.06, 0.06, nan]
    """
    raw = np.asarray(p_values, dtype=np.float64)
    corrected = np.full(raw.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(raw))
    if ((raw[tested] < 0) | (raw[tested] > 1)).any():
        raise CharthouseError("A p-value lies outside [0, 1]")
    ascending = tested[np.argsort(raw[tested], kind="stable")]
    scaled = raw[ascending] * np.arange(len(ascending), 0, -1)
    corrected[ascending] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return corrected

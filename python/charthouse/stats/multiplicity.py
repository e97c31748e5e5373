"""Holm's correction: what p-values are worth when several questions were asked."""

from collections.abc import Sequence

import numpy as np

from charthouse.core.errors import CharthouseError

RESAMPLES_PER_COMPARISON = 40
"""For each that is corrected together: the smallest p-value of n resamples is 1 / (n + 1).

Corrected for m it is about m / n, so with fewer than 20 no effect, however large, could be under
0.05; with 40 it can be by twice that.
"""


def resamples_needed(n_bootstrap: int, asked: int) -> int:
    """How many resamples comparisons need of which so many are asked; never fewer than given."""
    return max(n_bootstrap, RESAMPLES_PER_COMPARISON * asked)


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """P-values corrected for how many were asked (Holm 1979, Scand. J. Statistics).

    The k-th smallest of m is multiplied by m - k + 1; none becomes smaller than the one before it,
    or larger than 1. A question without an answer (NaN) stays NaN and does not count.

    Args:
        p_values: [m].

    Returns:
        Corrected, in the given order [m].

    Raises:
        CharthouseError: A p-value is not in [0, 1].
    """
    asked = np.asarray(p_values, dtype=np.float64)
    corrected = np.full(asked.shape, np.nan)
    answered = np.flatnonzero(~np.isnan(asked))
    if ((asked[answered] < 0) | (asked[answered] > 1)).any():
        raise CharthouseError("A p-value lies outside [0, 1]")
    ascending = answered[np.argsort(asked[answered], kind="stable")]
    scaled = asked[ascending] * np.arange(len(ascending), 0, -1)
    corrected[ascending] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return corrected

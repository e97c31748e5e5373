"""Mean and standard deviation of the numbers of the train split, the same in any order of stays."""

from collections.abc import Sequence

import numpy as np


def mean_and_sd(rows: Sequence[np.ndarray] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each column, [columns] float64; the sd of one that is the same everywhere is 1.

    Args:
        rows: [rows, columns], none of them NaN.
    """
    table = np.sort(np.asarray(rows, np.float64), axis=0)  # no order is seen in the sums
    constant = table[0] == table[-1]  # its sd is 0, or nearly so
    return table.mean(axis=0), np.where(constant, 1.0, table.std(axis=0))

"""How sure the figures of a task are, in a sentence or two: the terminal's and the page's."""

import statistics
from collections.abc import Sequence

FEW = 50
"""Stays of the rarer class, below which percentile intervals do not hold what they promise."""


def how_sure(widths: Sequence[float], *, patients: int, n: int, n_positive: int) -> str:
    """How well AUROC is known, and whether all intervals are too good to be true.

    Args:
        widths: Of the arms' intervals of AUROC on all test stays, those that have one.
        patients: Of the test split.
        n: Their stays.
        n_positive: Positive stays.
    """
    of_whom = f"With {patients:,} test patients ({n_positive:,} of {n:,} stays positive)"
    known = f"{of_whom} there is no interval of an arm's AUROC."
    if widths:
        half = statistics.median(widths) / 2
        about = f"{half:.2f}" if half >= 0.01 else f"{half:.3f}"
        known = f"{of_whom} AUROC is known to about ±{about} (95 %, median over arms)."
    if min(n_positive, n - n_positive) >= FEW:
        return known
    return (
        f"{known} Of one class there are fewer than {FEW} stays: all intervals are too narrow"
        " still, conclude nothing."
    )

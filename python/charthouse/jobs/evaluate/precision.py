"""How precise the metrics of a task are, in a sentence for terminal and report."""

import statistics
from collections.abc import Sequence

from charthouse.stats.bootstrap import MIN_PATIENTS

FEW = 20
"""Patients of the rarer class, below which intervals are too narrow: of an AUROC of 0.85, 87 % of
those from 10 patients held it, and 93 % from 20, 50 or 100 (benchmarks/interval_coverage.py)."""


def how_sure(widths: Sequence[float], *, patients: int, rarer: int, n: int, n_positive: int) -> str:
    """How well AUROC is known; with too few patients only the warning that it is not.

    `widths` are of the arms' intervals of AUROC on the n test stays; arms whose scores are
    constant, or separate the classes, have none. `rarer`: patients of the class that has fewer.
    """
    of_whom = f"With {patients:,} test patients ({n_positive:,} of {n:,} stays positive)"
    few = f"conclude nothing: fewer than {{}} patients of a class ({rarer})"
    if rarer < MIN_PATIENTS:
        return f"{of_whom} {few.format(MIN_PATIENTS)}, so nothing has an interval or a p-value."
    if rarer < FEW:
        return f"{of_whom} {few.format(FEW)}, so all intervals are too narrow."
    if not widths:
        return f"{of_whom} there is no interval of an arm's AUROC."
    half = statistics.median(widths) / 2
    about = f"{half:.2f}" if half >= 0.01 else f"{half:.3f}"
    return f"{of_whom} AUROC is known to about ±{about} (95 %, median over arms)."

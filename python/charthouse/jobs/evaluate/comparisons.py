"""Paired differences between arms: which are tested, and which of those decide.

AUROC is the primary metric: its p-values are corrected within a question (Holm), and claims rest on
them alone. All other metrics are exploratory: their p-values are as they come, and raise questions.

A metric has an interval and a p-value of its difference if benchmarks/null_comparisons.py shows
that the test keeps its level: that of two arms of equal quality no more than about 1 in 20 come
out as different. Metrics at thresholds do not: each arm's own threshold is a number that chance
chose on the validation split, and on many test stays two equal arms differ by it. Arms are
compared where they alert as many stays, or find as many positives, instead.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from charthouse.jobs.evaluate.arm_metrics import CUT, ArmMetrics, ResultRow, number, statistics_row
from charthouse.jobs.evaluate.scored import ALL
from charthouse.stats.fairness import FAIRNESS_MEASURES
from charthouse.stats.metrics import METRICS
from charthouse.stats.multiplicity import holm

PRIMARY = "auroc"
TESTED = {
    PRIMARY, "auprc", "brier", "sensitivity_at_alert_rate", "ppv_at_alert_rate",
    "specificity_at_sensitivity",
}  # fmt: skip
SIGNIFICANT = 0.05

OWN_THRESHOLD = "not tested: each arm decides at a threshold of its own"
NOT_SHOWN = "not tested: no test of this metric was shown to keep its level"
UNTESTED: Mapping[str, str] = {
    name: OWN_THRESHOLD if name in CUT else NOT_SHOWN for name in METRICS if name not in TESTED
}
UNTESTED_MEASURES: Mapping[str, str] = {
    name: OWN_THRESHOLD if CUT & set(measure.metrics) else NOT_SHOWN
    for name, measure in FAIRNESS_MEASURES.items()
}
"""All: of two arms that treat groups alike the worse one has the wider gaps, by noise alone."""


def difference_rows(
    arm: ArmMetrics, other: ArmMetrics, populations: Sequence[str], n_resamples: int
) -> Iterator[ResultRow]:
    """Columns of results.comparisons that are of a pair: arm minus other, on the test stays.

    Takes the first `n_resamples`.
    """
    for population in populations:
        one, another = (each.compared[population].first(n_resamples) for each in (arm, other))
        for metric, found in one.minus(another, UNTESTED).items():
            common = {"population": population, "attribute": None, "metric": metric}
            yield common | statistics_row(found)


def fairness_difference_rows(
    arm: ArmMetrics, other: ArmMetrics, attributes: Sequence[str]
) -> Iterator[ResultRow]:
    """The same of measures over groups, on all test stays."""
    for attribute in attributes:
        one, another = (each.by_attribute[attribute] for each in (arm, other))
        for measure, found in one.fairness_minus(another, UNTESTED_MEASURES).items():
            common = {"population": ALL, "attribute": attribute, "metric": measure}
            yield common | statistics_row(found)


def corrected(rows: Sequence[ResultRow], family: Sequence[str]) -> Sequence[ResultRow]:
    """Adds is_primary, n_asked and p_adjusted (Holm) to comparisons of a task.

    Those are corrected together that share the columns of `family`, the metric among them. n_asked
    counts those without a p-value too; they are not corrected for. Of exploratory metrics there is
    no p_adjusted: who corrects a p-value says that a claim may rest on it.
    """
    families: dict[tuple, list[ResultRow]] = {}
    for row in rows:
        families.setdefault(tuple(row[key] for key in family), []).append(row)
    for members in families.values():
        p_values = [np.nan if row["p_value"] is None else row["p_value"] for row in members]
        for row, adjusted in zip(members, holm(p_values), strict=True):
            row["is_primary"] = row["metric"] == PRIMARY
            row["p_adjusted"] = number(adjusted) if row["is_primary"] else None
            row["n_asked"] = len(members)
    return rows


def in_words(rows: Sequence[ResultRow], of_what: str) -> str | None:
    """One line about corrected comparisons, one of each pair; None without the primary metric."""
    primary = [row for row in rows if row["is_primary"]]
    if not primary:
        return None
    sure = sum(row["p_adjusted"] is not None and row["p_adjusted"] < SIGNIFICANT for row in primary)
    return (
        f"AUROC, the primary metric: {sure} of {len(primary)} differences between {of_what} are"
        f" significant after Holm correction (p < {SIGNIFICANT}); all other metrics are exploratory"
    )

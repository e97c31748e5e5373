"""What one arm scores: metrics, subgroups, fairness and curves, as rows of the results."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from charthouse.core.errors import CharthouseError
from charthouse.jobs.evaluate.scored import ALL, Scored, Stays
from charthouse.stats.bootstrap import BootstrapResult, bootstrap_metrics
from charthouse.stats.curves import calibration_curve, precision_recall_curve, roc_curve
from charthouse.stats.fairness import (
    FAIRNESS_MEASURES,
    GROUP_METRICS,
    GroupBootstrapResult,
    bootstrap_groups,
)
from charthouse.stats.metrics import METRICS, MetricValue, choose_threshold
from charthouse.stats.samples import DEFAULT_OPERATING_POINT, OperatingPoint

ResultRow = dict[str, Any]

ACCURACY_AT = 0.5
CUTS = {"accuracy": ACCURACY_AT}
"""Of all stays and of subgroups, as published ones are: else they could not be compared."""
CUT = {"sensitivity", "specificity", "ppv", "f1", "tpr", "fpr", "selection_rate"}
"""Metrics that need the decision threshold."""
CURVES = {
    "roc": roc_curve,
    "precision_recall": precision_recall_curve,
    "calibration": calibration_curve,
}


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made, and where arms decide by rank."""

    n: int
    seed: int
    min_group: int
    operating_point: OperatingPoint = DEFAULT_OPERATING_POINT


@dataclass(frozen=True, eq=False)
class ArmMetrics:
    """The metrics of one arm, with their resamples."""

    scored: Scored
    # a stay is predicted positive from here on; None where none could be chosen
    threshold: float | None
    why_none: str | None  # then why
    by_population: Mapping[tuple[str, str], BootstrapResult]  # split and population to the metrics
    # attribute to the metrics by group, on all test stays
    by_attribute: Mapping[str, GroupBootstrapResult]
    # population to the metrics of test, of as many resamples as comparisons need; the first are
    # those of by_population
    compared: Mapping[str, BootstrapResult]

    def threshold_of(self, metrics: Sequence[str]) -> float | None:
        """At which some metrics, cut at the same, decide; None where they decide nothing."""
        if cut := set(metrics) & CUTS.keys():
            return CUTS[cut.pop()]
        return self.threshold if CUT & set(metrics) else None


def decide(
    stays: Stays, y_score: np.ndarray, setting: str | float
) -> tuple[float | None, str | None]:
    """The decision threshold, or why there is none."""
    if setting != "validation":
        return float(setting), None
    try:
        return choose_threshold(stays.y_true, y_score), None
    except CharthouseError:
        return None, "no threshold: the validation split has one class"


def measure_arm(
    scored: Scored,
    stays: Mapping[str, Stays],
    setting: str | float,
    bootstrap: Bootstrap,
    n_compared: int,
) -> ArmMetrics:
    """Measures an arm on validation, on each population of test, and by group.

    `stays` are by split; `setting` is the decision threshold, or "validation"; so many resamples as
    `n_compared`, no fewer than bootstrap's, are for comparisons.
    """
    threshold, why_none = decide(stays["validation"], scored.y_score["validation"], setting)
    at = ACCURACY_AT if threshold is None else threshold
    test, y_score = stays["test"], scored.y_score["test"]
    more = replace(bootstrap, n=n_compared)
    validation = measured(
        stays["validation"],
        stays["validation"].populations[ALL],
        scored.y_score["validation"],
        tuple(METRICS),
        bootstrap,
        at,
    )
    compared = {
        population: _without_cut(measured(test, rows, y_score, tuple(METRICS), more, at), why_none)
        for population, rows in test.populations.items()
    }
    by_attribute = {}
    for attribute, groups in test.groups.items():
        grouped = bootstrap_groups(
            test.y_true,
            y_score,
            test.subject_ids,
            groups,
            at,
            GROUP_METRICS,
            bootstrap.n,
            bootstrap.seed,
            bootstrap.min_group,
            CUTS,
        )
        by_group = {name: _without_cut(of, why_none) for name, of in grouped.by_group.items()}
        by_attribute[attribute] = replace(grouped, by_group=by_group)
    return ArmMetrics(
        scored,
        threshold,
        why_none,
        {("validation", ALL): _without_cut(validation, why_none)}
        | {("test", name): found.first(bootstrap.n) for name, found in compared.items()},
        by_attribute,
        compared,
    )


def measured(
    stays: Stays,
    rows: np.ndarray,
    y_score: np.ndarray,
    metrics: Sequence[str],
    bootstrap: Bootstrap,
    threshold: float = ACCURACY_AT,
) -> BootstrapResult:
    """Metrics of scores or decisions [n] on the chosen rows [n], accuracy always at ACCURACY_AT."""
    sample = stays.y_true[rows], y_score[rows], stays.subject_ids[rows]
    at = bootstrap.operating_point.subset(rows)
    return bootstrap_metrics(*sample, threshold, metrics, bootstrap.n, bootstrap.seed, CUTS, at)


def _without_cut(found: BootstrapResult, why_none: str | None) -> BootstrapResult:
    """The same, metrics at the threshold undefined where there is none."""
    if why_none is None:
        return found
    undefined = [name for name in found.point_estimates if name in CUT]
    nothing = np.full(len(next(iter(found.resamples.values()))), np.nan)
    no_value = MetricValue(np.nan, why_none)
    return replace(
        found,
        point_estimates=found.point_estimates | dict.fromkeys(undefined, no_value),
        resamples=found.resamples | dict.fromkeys(undefined, nothing),
    )


def rows_by_table(found: ArmMetrics) -> dict[str, Iterator[ResultRow]]:
    """Rows of the tables of results that hold an arm's metrics."""
    return {
        "metrics": metric_rows(found),
        "subgroup_metrics": subgroup_rows(found),
        "fairness": fairness_rows(found),
    }


def metric_rows(found: ArmMetrics) -> Iterator[ResultRow]:
    """Rows of results.metrics."""
    for (split, population), resampled in found.by_population.items():
        for metric, interval in resampled.intervals().items():
            yield statistics_row(interval) | {
                "split": split,
                "population": population,
                "metric": metric,
                "threshold": found.threshold_of([metric]),
            }


def subgroup_rows(found: ArmMetrics) -> Iterator[ResultRow]:
    """Rows of results.subgroup_metrics."""
    for attribute, grouped in found.by_attribute.items():
        for subgroup, intervals in grouped.intervals().items():
            for metric, interval in intervals.items():
                yield statistics_row(interval) | {
                    "split": "test",
                    "population": ALL,
                    "attribute": attribute,
                    "subgroup": subgroup,
                    "metric": metric,
                    "threshold": found.threshold_of([metric]),
                }


def fairness_rows(found: ArmMetrics) -> Iterator[ResultRow]:
    """Rows of results.fairness."""
    for attribute, grouped in found.by_attribute.items():
        for metric, interval in grouped.fairness().items():
            yield statistics_row(interval) | {
                "split": "test",
                "population": ALL,
                "attribute": attribute,
                "metric": metric,
                "threshold": found.threshold_of(FAIRNESS_MEASURES[metric].metrics),
            }


def curve_rows(scored: Scored, stays: Stays, bootstrap: Bootstrap) -> Iterator[ResultRow]:
    """Rows of results.curves, of all test stays."""
    for name, curve_of in CURVES.items():
        curve = curve_of(
            stays.y_true, scored.y_score["test"], stays.subject_ids, bootstrap.n, bootstrap.seed
        )
        for x, y, low, high, n, reason in zip(
            curve.x, curve.y, curve.low, curve.high, curve.n, curve.reasons, strict=True
        ):
            yield {
                "split": "test",
                "population": ALL,
                "curve": name,
                "x": float(x),
                "y": number(y),
                "ci_low": number(low),
                "ci_high": number(high),
                "n": int(n),
                "reason": reason,
            }


def statistics_row(found: object) -> ResultRow:
    """Columns of results that a dataclass of statistics has fields for, null where it is NaN."""
    listed = {name: list(v) if isinstance(v, tuple) else v for name, v in vars(found).items()}
    return {name: number(v) if isinstance(v, float) else v for name, v in listed.items()}


def number(value: float) -> float | None:
    """For SQL: null where it is not a number."""
    return float(value) if math.isfinite(value) else None

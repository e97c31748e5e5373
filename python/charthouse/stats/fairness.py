"""Metrics by group, how far groups are apart, and whether another arm moves them closer.

Groups are the values of one attribute (race, age, gender); every stay is in one. All patients are
drawn together, as in bootstrap.py, and a group's resample is what was drawn of its stays: a patient
with stays in two groups moves both, and measures over groups, and pairs of arms, are of the same
resamples.

Measures, over the groups that have a value of what is compared; those that are left out are named:

- demographic_parity_ratio, demographic_parity_difference: smallest selection rate / largest, and
  largest - smallest (Dwork et al. 2012, ITCS; Bird et al. 2020, Fairlearn).
- equalized_odds_ratio: the smaller of smallest tpr / largest and smallest fpr / largest;
  equalized_odds_difference: the larger of the two gaps (Hardt et al. 2016, NeurIPS).
- <metric>_gap: largest - smallest. There is no selection_rate_gap: it is the
  demographic_parity_difference.
- <metric>_worst_group: the metric of the group where it is worst; and that group, of equals the
  first.

Of the first four fairlearn gives the estimate, and the resamples are of the same definition. What
fairlearn would say of a rate that is undefined (of no positive or no negative stay: 0), or of a
ratio 0 / 0, is not asked: here the group is left out and the ratio is undefined.

A measure has an interval where each group that is compared has the patients that one takes (see
bootstrap.py); if not, the reason names the groups that have fewer. They stay in the estimate:
leaving out the smallest groups would hide what is asked about. A larger min_group leaves them out.

Limits worth knowing. A gap cannot be negative and noise only widens it: it is biased upwards, the
more so the smaller the groups, and its percentile interval a second time; of groups that do not
differ at all the interval does not come down to 0. Ratios and the worst group's value are biased
downwards likewise (upwards where high is worse). So an interval says how sure a gap is, not
whether there is one. Differences between arms are spared some of this, since both have the same
groups and draws, but not all: of two arms that treat groups alike the worse one has the wider gap,
by noise alone.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pandas as pd

from charthouse.stats.bootstrap import (
    BootstrapResult,
    Difference,
    Interval,
    PatientBootstrap,
    paired_difference,
    percentile_interval,
)
from charthouse.stats.metrics import MetricValue, get_metric
from charthouse.stats.samples import Sample

MIN_GROUP = 10
"""Stays; a group of fewer has no metrics."""

MISSING = "(missing)"
"""The group of stays without one."""

GROUP_METRICS = ("auroc", "auprc", "accuracy", "tpr", "fpr", "selection_rate", "ppv", "brier")


def _ratio(values: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # 0 / 0
        return (values.min(axis=1) / values.max(axis=1)).min(axis=0)


def _gap(values: np.ndarray) -> np.ndarray:
    return np.ptp(values, axis=1).max(axis=0)


def _lowest(values: np.ndarray) -> np.ndarray:
    return values[0].min(axis=0)


def _highest(values: np.ndarray) -> np.ndarray:
    return values[0].max(axis=0)


@dataclass(frozen=True)
class FairnessMeasure:
    """A measure over groups.

    Attributes:
        metrics: Of which it is made.
        compute: From their values [metrics, groups, c] to [c]; NaN where a value is NaN.
        worst: Where the worst group is among values [groups] of its only metric; None where the
            measure is of no single group.
        fairlearn: ratio or difference, if fairlearn has it.
    """

    metrics: tuple[str, ...]
    compute: Callable[[np.ndarray], np.ndarray]
    worst: Callable[[np.ndarray], np.intp] | None = None
    fairlearn: str | None = None


FAIRNESS_MEASURES: dict[str, FairnessMeasure] = {
    "demographic_parity_ratio": FairnessMeasure(("selection_rate",), _ratio, fairlearn="ratio"),
    "demographic_parity_difference": FairnessMeasure(
        ("selection_rate",), _gap, fairlearn="difference"
    ),
    "equalized_odds_ratio": FairnessMeasure(("tpr", "fpr"), _ratio, fairlearn="ratio"),
    "equalized_odds_difference": FairnessMeasure(("tpr", "fpr"), _gap, fairlearn="difference"),
    **{f"{name}_gap": FairnessMeasure((name,), _gap) for name in ("auroc", "tpr", "fpr", "brier")},
    **{
        f"{name}_worst_group": FairnessMeasure((name,), _lowest, np.argmin)
        for name in ("auroc", "auprc", "accuracy", "tpr", "ppv")
    },
    **{
        f"{name}_worst_group": FairnessMeasure((name,), _highest, np.argmax)
        for name in ("fpr", "brier")
    },
}


@dataclass(frozen=True)
class FairnessInterval:
    """A measure over groups with its 95 % interval.

    Attributes:
        value: NaN where undefined.
        ci_low: NaN where value is, or as in Interval; each group compared needs the patients.
        ci_high: Likewise.
        n_groups: How many groups are compared.
        worst_group: Of <metric>_worst_group, else None.
        left_out: Groups without a value; Interval says why.
        n_undefined: Resamples in which the measure, or a compared group's metric, is undefined.
        reason: Why something is NaN, else None.
    """

    value: float
    ci_low: float
    ci_high: float
    n_groups: int
    worst_group: str | None
    left_out: tuple[str, ...]
    n_undefined: int
    reason: str | None


Decisions = tuple[tuple[str, int, int, int], ...]
"""Group, outcome, decision, and how many stays."""


@dataclass(frozen=True, eq=False)
class GroupBootstrapResult:
    """An arm's metrics by group, on its stays and on every resample.

    Attributes:
        by_group: In the order of names, stays without a group last.
        n_bootstrap: How many resamples.
        decisions: On the stays themselves.
    """

    by_group: dict[str, BootstrapResult]
    n_bootstrap: int
    decisions: Decisions

    def first(self, n: int) -> "GroupBootstrapResult":
        """The same of the first n resamples."""
        by_group = {group: resampled.first(n) for group, resampled in self.by_group.items()}
        return replace(self, by_group=by_group, n_bootstrap=min(n, self.n_bootstrap))

    def intervals(self) -> dict[str, dict[str, Interval]]:
        """The interval of each metric, by group."""
        return {group: resampled.intervals() for group, resampled in self.by_group.items()}

    def fairness(self) -> dict[str, FairnessInterval]:
        """The interval of each measure whose metrics there are."""
        return {name: self._fairness(FAIRNESS_MEASURES[name]) for name in self._measures()}

    def fairness_minus(
        self, other: "GroupBootstrapResult", untested: Mapping[str, str] | None = None
    ) -> dict[str, Difference]:
        """Paired differences of the measures that both have; stays are those of compared groups.

        Args:
            other: What is subtracted.
            untested: As in Resampled.minus, of measures.

        Raises:
            ValueError: The two are not of the same stays, groups and resamples.
        """
        resample_key, drawn_from_other = (
            {group: resampled.resample_key for group, resampled in arm.by_group.items()}
            for arm in (self, other)
        )
        if resample_key != drawn_from_other or self.n_bootstrap != other.n_bootstrap:
            raise ValueError("arms of different stays, groups or resamples cannot be paired")
        also = other._measures()
        return {
            name: self._minus(other, FAIRNESS_MEASURES[name], (untested or {}).get(name))
            for name in self._measures()
            if name in also
        }

    def _measures(self) -> list[str]:
        """Names of the measures whose metrics there are."""
        return [
            name
            for name, measure in FAIRNESS_MEASURES.items()
            if all(
                set(measure.metrics) <= set(group.point_estimates)
                for group in self.by_group.values()
            )
        ]

    def _fairness(self, measure: FairnessMeasure) -> FairnessInterval:
        compared = self._compared(measure)
        measured, resamples = self._over(measure, compared)
        reason = measured.reason or self._too_few(measure, compared)
        low, high, undefined, reason = percentile_interval(resamples, reason)
        worst = None
        if measure.worst and measured.reason is None:
            worst = compared[measure.worst(self._values(measure, compared)[0, :, 0])]
        left_out = tuple(group for group in self.by_group if group not in compared)
        return FairnessInterval(
            measured.value, low, high, len(compared), worst, left_out, undefined, reason
        )

    def _minus(
        self, other: "GroupBootstrapResult", measure: FairnessMeasure, untested: str | None
    ) -> Difference:
        compared, compared_other = self._compared(measure), other._compared(measure)
        first, resamples = self._over(measure, compared)
        second, resamples_other = other._over(measure, compared_other)
        if not first.reason and not second.reason and compared != compared_other:
            one_sided = sorted(set(compared) ^ set(compared_other))
            reason = f"only one arm has {' and '.join(measure.metrics)} of {', '.join(one_sided)}"
            first = MetricValue(np.nan, reason)
        groups = [self.by_group[group] for group in compared]
        n, n_positive = sum(each.n for each in groups), sum(each.n_positive for each in groups)
        few = self._too_few(measure, compared) or other._too_few(measure, compared_other)
        differences = resamples - resamples_other
        return paired_difference(first, second, differences, n, n_positive, few, untested)

    def _compared(self, measure: FairnessMeasure) -> list[str]:
        """Groups that have a value of each of a measure's metrics."""
        return [
            name
            for name, group in self.by_group.items()
            if all(group.point_estimates[metric].reason is None for metric in measure.metrics)
        ]

    def _too_few(self, measure: FairnessMeasure, compared: list[str]) -> str | None:
        """Why the patients of the groups compared carry no interval, and which groups'."""
        why = {
            group: few
            for metric in measure.metrics
            for group in compared
            if (few := self.by_group[group].too_few_reason(metric))
        }
        return "; ".join(f"{group}: {few}" for group, few in why.items()) or None

    def _over(
        self, measure: FairnessMeasure, compared: list[str]
    ) -> tuple[MetricValue, np.ndarray]:
        """A measure over groups, and of every resample [n_bootstrap]."""
        if len(compared) < 2:
            reason = f"{len(compared)} of {len(self.by_group)} groups with a value, fewer than 2"
            return MetricValue(np.nan, reason), np.full(self.n_bootstrap, np.nan)
        drawn = [
            [self.by_group[group].resamples[metric] for group in compared]
            for metric in measure.metrics
        ]
        value = float(measure.compute(self._values(measure, compared))[0])
        # groups with a value each: what is still undefined is a ratio of nothing
        none = f"{' or '.join(measure.metrics)} is 0 in every group" if np.isnan(value) else None
        if measure.fairlearn and none is None:
            of_compared = tuple(each for each in self.decisions if each[0] in compared)
            value = fairlearn_disparity(of_compared, measure.metrics)[measure.fairlearn]
        return MetricValue(value, none), measure.compute(np.array(drawn))

    def _values(self, measure: FairnessMeasure, compared: list[str]) -> np.ndarray:
        """Of the stays themselves [metrics, groups, 1]."""
        return np.array(
            [
                [[self.by_group[group].point_estimates[metric].value] for group in compared]
                for metric in measure.metrics
            ]
        )


@lru_cache(maxsize=1024)
def fairlearn_disparity(decisions: Decisions, rates: tuple[str, ...]) -> dict[str, float]:
    """What fairlearn has for how far groups are apart, in the rate where they are furthest.

    Of selection_rate that is demographic parity, of tpr and fpr equalized odds. Stays of one group,
    outcome and decision are one row with a weight: fairlearn's time grows with the rows.

    Args:
        decisions: Of groups that have each of the rates.
        rates: Names from RATES.

    Returns:
        ratio and difference.
    """
    from fairlearn import metrics as fairlearn

    groups, y_true, called, n = zip(*decisions, strict=True)
    of = {
        "tpr": fairlearn.true_positive_rate,
        "fpr": fairlearn.false_positive_rate,
        "selection_rate": fairlearn.selection_rate,
    }
    frame = fairlearn.MetricFrame(
        metrics={rate: of[rate] for rate in rates},
        y_true=y_true,
        y_pred=called,
        sensitive_features=list(groups),
        sample_params={rate: {"sample_weight": n} for rate in rates},
    )
    return {"ratio": float(frame.ratio().min()), "difference": float(frame.difference().max())}


def group_names(groups: np.ndarray | Sequence[object]) -> np.ndarray:
    """Groups [n] by name, MISSING where there is none (None, NaN)."""
    given = np.asarray(groups, dtype=object)
    named: np.ndarray = np.where(pd.isna(given), MISSING, given).astype(str)
    return named


def bootstrap_groups(
    y_true: np.ndarray,
    y_score: np.ndarray,
    subject_ids: np.ndarray,
    groups: np.ndarray | Sequence[object],
    threshold: float,
    metrics: Sequence[str] = GROUP_METRICS,
    n_bootstrap: int = 1000,
    seed: int = 0,
    min_group: int = MIN_GROUP,
    thresholds: Mapping[str, float] | None = None,
) -> GroupBootstrapResult:
    """Computes metrics of an arm by group, on the draws of bootstrap.resample.

    The order of rows changes nothing, not even a bit.

    Args:
        y_true: [n], 0 or 1.
        y_score: [n], probabilities.
        subject_ids: [n], integers, the patient of each stay.
        groups: [n], the group of each stay; without one (None, NaN) it is in MISSING.
        threshold: Predicted positive is y_score >= threshold.
        metrics: Names from METRICS or RATES.
        n_bootstrap: How many resamples.
        seed: Of the draws.
        min_group: Stays; a group of fewer has no metrics.
        thresholds: By metric, its threshold where that is another one.

    Raises:
        ValueError: Arrays that are not labels, probabilities, patients and groups of the same
            length.
        CharthouseError: There is no such metric.
    """
    for name in metrics:
        get_metric(name)
    draws = PatientBootstrap.of(y_true, y_score, subject_ids, threshold, n_bootstrap, seed)
    named = group_names(groups)
    if named.shape != (len(draws.sample),):
        raise ValueError(f"groups {named.shape} and y_true ({len(draws.sample)},) differ in shape")
    named = named[draws.sample.order]
    ordered = sorted(set(named.tolist()), key=lambda name: (name == MISSING, name))
    by_group = {
        group: _resampled(draws.subset(named == group), metrics, min_group, thresholds)
        for group in ordered
    }
    return GroupBootstrapResult(by_group, n_bootstrap, _decisions(draws.sample, named))


def _decisions(sample: Sample, named: np.ndarray) -> Decisions:
    """Counted, of stays and their groups [n]."""
    called = sample.y_score >= sample.threshold
    counted = Counter(
        zip(named.tolist(), sample.y_true.astype(int).tolist(), called.tolist(), strict=True)
    )
    return tuple((group, y, int(yes), n) for (group, y, yes), n in sorted(counted.items()))


def _resampled(
    group: PatientBootstrap,
    metrics: Sequence[str],
    min_group: int,
    thresholds: Mapping[str, float] | None,
) -> BootstrapResult:
    """Metrics of a group, all of them undefined if it is too small."""
    n = len(group.sample)
    if n >= min_group:
        return group.evaluate(metrics, thresholds)
    too_small = MetricValue(np.nan, f"{n} stays, fewer than {min_group}")
    return group.all_undefined(dict.fromkeys(metrics, too_small))

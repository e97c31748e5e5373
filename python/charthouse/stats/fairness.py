"""Metrics by group, fairness measures over the groups, and whether another arm narrows the gaps.

Groups are the values of one attribute (race, age, gender), and every stay is in one group. All
patients are drawn together, as in bootstrap.py, and a group's resample is its share of that draw. A
patient with stays in two groups thus affects both, and measures over groups, and pairs of arms, use
the same resamples.

Fairness measures compare the groups that have a value of the metric, and list those that do not:

- demographic_parity_ratio, demographic_parity_difference: smallest selection rate / largest, and
  largest - smallest (Dwork et al. 2012, ITCS; Bird et al. 2020, Fairlearn).
- equalized_odds_ratio: the smaller of (smallest tpr / largest) and (smallest fpr / largest);
  equalized_odds_difference: the larger of the two gaps (Hardt et al. 2016, NeurIPS).
- <metric>_gap: largest - smallest. There is no selection_rate_gap: it is the
  demographic_parity_difference.
- <metric>_worst_group: the metric of the group with the worst value, and that group (the first of
  equal ones).

The point estimates of the first four are fairlearn's own, and the resamples follow the same
definition. Two cases differ. fairlearn returns 0 for a rate with no positive or no negative stay;
here the group is left out. And here a ratio of 0 / 0 is undefined.

A measure has an interval where every compared group has enough patients for one (see bootstrap.py).
If not, the reason names the groups with too few. They stay in the estimate: leaving out the
smallest groups would hide what the measure is meant to show. A larger min_group leaves them out.

Limits. A gap cannot be negative and noise only widens it. So it is biased upwards, the more the
smaller the groups are, and its percentile interval is biased a second time: for groups that do not
differ at all, the interval does not reach 0. Ratios and the value of the worst group are biased
downwards in the same way (upwards where a high value is worse). An interval therefore says how
precise a gap is, not whether there is one. Differences between arms suffer less, since both arms
share groups and draws, but not nothing: of two arms that treat groups alike, the worse one has the
wider gap by noise alone.
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
"""Minimum number of stays for a group to have metrics."""

MISSING = "(missing)"
"""The group of stays that have none."""

GROUP_METRICS = ("auroc", "auprc", "accuracy", "tpr", "fpr", "selection_rate", "ppv", "brier")


def _ratio(values: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # 0 / 0
        return (values.min(axis=1) / values.max(axis=1)).min(axis=0)


def _gap(values: np.ndarray) -> np.ndarray:
    return np.ptp(values, axis=1).max(axis=0)


@dataclass(frozen=True)
class FairnessMeasure:
    """A measure over groups."""

    metrics: tuple[str, ...]  # that it is computed from
    compute: Callable[[np.ndarray], np.ndarray]  # from [metrics, groups, c] to [c]; NaN stays NaN
    worst: Callable[[np.ndarray], np.intp] | None = None  # the worst group, of values [groups]
    fairlearn: str | None = None  # ratio or difference, if fairlearn defines it


FAIRNESS_MEASURES: dict[str, FairnessMeasure] = {
    "demographic_parity_ratio": FairnessMeasure(("selection_rate",), _ratio, fairlearn="ratio"),
    "demographic_parity_difference": FairnessMeasure(
        ("selection_rate",), _gap, fairlearn="difference"
    ),
    "equalized_odds_ratio": FairnessMeasure(("tpr", "fpr"), _ratio, fairlearn="ratio"),
    "equalized_odds_difference": FairnessMeasure(("tpr", "fpr"), _gap, fairlearn="difference"),
    **{f"{name}_gap": FairnessMeasure((name,), _gap) for name in ("auroc", "tpr", "fpr", "brier")},
    **{
        f"{name}_worst_group": FairnessMeasure((name,), lambda each: each[0].min(axis=0), np.argmin)
        for name in ("auroc", "auprc", "accuracy", "tpr", "ppv")
    },
    **{
        f"{name}_worst_group": FairnessMeasure((name,), lambda each: each[0].max(axis=0), np.argmax)
        for name in ("fpr", "brier")
    },
}


@dataclass(frozen=True)
class FairnessInterval:
    """A fairness measure with its 95 % interval.

    The bounds are NaN where the value is, or where a compared group has too few patients.
    """

    value: float  # NaN where undefined
    ci_low: float
    ci_high: float
    n_groups: int  # compared
    worst_group: str | None  # of <metric>_worst_group
    left_out: tuple[str, ...]  # groups without a value; their Interval gives the reason
    n_undefined: int  # resamples in which it, or the metric of a compared group, is undefined
    reason: str | None  # why something is NaN


Decisions = tuple[tuple[str, int, int, int], ...]
"""Group, label, prediction, and number of stays."""


@dataclass(frozen=True, eq=False)
class GroupBootstrapResult:
    """An arm's metrics by group, on its stays and on every resample."""

    by_group: dict[str, BootstrapResult]  # in alphabetical order; stays without a group come last
    n_bootstrap: int
    decisions: Decisions  # on the stays themselves

    def first(self, n: int) -> "GroupBootstrapResult":
        """The same result with only the first n resamples."""
        by_group = {group: resampled.first(n) for group, resampled in self.by_group.items()}
        return replace(self, by_group=by_group, n_bootstrap=min(n, self.n_bootstrap))

    def intervals(self) -> dict[str, dict[str, Interval]]:
        """The 95 % interval of each metric, by group and metric."""
        return {group: resampled.intervals() for group, resampled in self.by_group.items()}

    def fairness(self) -> dict[str, FairnessInterval]:
        """The 95 % interval of each fairness measure whose metrics were computed."""
        return {name: self._fairness(FAIRNESS_MEASURES[name]) for name in self._measures()}

    def fairness_minus(
        self, other: "GroupBootstrapResult", untested: Mapping[str, str] | None = None
    ) -> dict[str, Difference]:
        """Paired differences (this arm minus the other), by name, of the measures that both have.

        The numbers of stays are those of the compared groups.

        `untested` are measures whose difference gets neither interval nor p-value, with the reason.

        Raises:
            ValueError: The two results are not of the same stays, groups and resamples.
        """
        keys, keys_of_other = (
            {group: resampled.resample_key for group, resampled in arm.by_group.items()}
            for arm in (self, other)
        )
        if keys != keys_of_other or self.n_bootstrap != other.n_bootstrap:
            raise ValueError("arms of different stays, groups or resamples cannot be paired")
        also = other._measures()
        return {
            name: self._minus(other, FAIRNESS_MEASURES[name], (untested or {}).get(name))
            for name in self._measures()
            if name in also
        }

    def _measures(self) -> list[str]:
        """Names of the measures whose metrics there are."""
        has = [group.point_estimates.keys() for group in self.by_group.values()]
        return [
            name
            for name, measure in FAIRNESS_MEASURES.items()
            if all(names >= {*measure.metrics} for names in has)
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
        """Groups that have a value of every metric of the measure."""
        return [
            name
            for name, group in self.by_group.items()
            if all(group.point_estimates[metric].reason is None for metric in measure.metrics)
        ]

    def _too_few(self, measure: FairnessMeasure, compared: list[str]) -> str | None:
        """Which of the compared groups have too few patients for an interval, and why."""
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
        """A measure over groups: its value, and that of every resample [n_bootstrap]."""
        if len(compared) < 2:
            reason = f"{len(compared)} of {len(self.by_group)} groups with a value, fewer than 2"
            return MetricValue(np.nan, reason), np.full(self.n_bootstrap, np.nan)
        groups = [self.by_group[group] for group in compared]
        drawn = [[group.resamples[metric] for group in groups] for metric in measure.metrics]
        value = float(measure.compute(self._values(measure, compared))[0])
        # groups with a value each: what is still undefined is a ratio of nothing
        none = f"{' or '.join(measure.metrics)} is 0 in every group" if np.isnan(value) else None
        if measure.fairlearn and none is None:
            of_compared = tuple(each for each in self.decisions if each[0] in compared)
            value = fairlearn_disparity(of_compared, measure.metrics)[measure.fairlearn]
        return MetricValue(value, none), measure.compute(np.array(drawn))

    def _values(self, measure: FairnessMeasure, compared: list[str]) -> np.ndarray:
        """Point estimates [metrics, groups, 1]."""
        return np.array(
            [
                [[self.by_group[group].point_estimates[metric].value] for group in compared]
                for metric in measure.metrics
            ]
        )


@lru_cache(maxsize=1024)
def fairlearn_disparity(decisions: Decisions, rates: tuple[str, ...]) -> dict[str, float]:
    """Disparity between groups as fairlearn computes it, for the rate that differs most.

    With selection_rate this is demographic parity, with tpr and fpr equalized odds. Stays of one
    group, label and prediction are one weighted row, because fairlearn's time grows with the rows.

    Returns:
        The ratio and the difference, by these names.
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
    """Groups as text [n]; MISSING where there is none (None, NaN)."""
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
    """Computes metrics by group, on the resamples of bootstrap.bootstrap_metrics.

    The order of the rows does not change the result, not even in the last bit.

    Args:
        y_true: [n], 0 or 1.
        y_score: [n], probabilities in [0, 1].
        subject_ids: [n], integers, the patient of each stay.
        groups: [n], the group of each stay; None or NaN counts as the group MISSING.
        threshold: A stay is predicted positive when y_score >= threshold.
        metrics: Names from METRICS or RATES.
        n_bootstrap: Number of resamples.
        seed: Seed of the draws.
        min_group: Minimum number of stays; a smaller group has no metrics.
        thresholds: By metric, its decision threshold where that is another one.

    Returns:
        The metrics of each group; its `fairness()` gives demographic parity, equalized odds and
        gaps.

    Raises:
        ValueError: The arrays are not labels, probabilities, patients and groups of the same
            length.
        CharthouseError: There is no such metric.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> y_true, y_score = rng.integers(0, 2, 300), rng.uniform(size=300)
        >>> gender = np.where(np.arange(300) % 3 == 0, "F", "M")
        >>> result = bootstrap_groups(y_true, y_score, np.arange(300), gender, 0.5, n_bootstrap=100)
        >>> [(name, group["tpr"].n) for name, group in result.intervals().items()]
        [('F', 100), ('M', 200)]
        >>> gap = result.fairness()["equalized_odds_difference"]
        >>> bool(gap.ci_low <= gap.value <= gap.ci_high), gap.n_groups
        (True, 2)
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
    """Counts of group, label and prediction, from stays and their groups [n]."""
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
    """The metrics of one group, all of them undefined if the group is too small."""
    n = len(group.sample)
    if n >= min_group:
        return group.evaluate(metrics, thresholds)
    too_small = MetricValue(np.nan, f"{n} stays, fewer than {min_group}")
    return group.all_undefined(dict.fromkeys(metrics, too_small))

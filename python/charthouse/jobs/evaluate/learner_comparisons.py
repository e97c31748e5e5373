"""Learners against arms, against other evidence and against each other, on the same stays.

- learner_against_arm: shown everything, minus an arm of the modular framework: one for each set of
  modalities, chosen on validation. Decisions at the learner's own alert rate: the arm alerts as
  many stays as the learner says yes to, those of the highest scores, found anew in every resample.
  A refusal alerts nobody.
- uses_the_picture: shown everything, minus what lacks the picture, has a blank one, or another
  patient's.
- learner_against_learner: both shown everything.

Elsewhere refusals count as wrong, and decisions are compared as they are. Only what both have is
compared: metrics of p_yes on the stays where both have one, and not at all where there are none.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, product

import numpy as np

from charthouse.jobs.ask.conditions import FULL
from charthouse.jobs.evaluate.arm_metrics import (
    ArmMetrics,
    Bootstrap,
    ResultRow,
    measured,
    statistics_row,
)
from charthouse.jobs.evaluate.comparisons import NOT_SHOWN, corrected
from charthouse.jobs.evaluate.learner_answers import Answers, Learner
from charthouse.jobs.evaluate.learner_metrics import AS_WRONG, ASKED, P_YES
from charthouse.jobs.evaluate.planned_comparisons import populations_of
from charthouse.jobs.evaluate.representatives import one_per_modalities
from charthouse.jobs.evaluate.scored import ALL, Stays
from charthouse.stats.bootstrap import BootstrapResult, Interval
from charthouse.stats.multiplicity import resamples_needed
from charthouse.stats.ratios import ratio_intervals
from charthouse.stats.samples import OperatingPoint

WITHOUT_THE_PICTURE = ("text_only", "blank_image", "other_image")
OF_ALERTS = ("sensitivity_at_alert_rate", "ppv_at_alert_rate")
UNTESTED = {"auprc": NOT_SHOWN}
"""P(yes) against a score: of 11,600 stays equal ones differed too often (benchmarks/README.md)."""
FAMILY = ("question", "metric")
"""Comparisons of one task that share these are corrected together."""


def comparison_rows(
    learners: Sequence[Learner],
    arms: Sequence[ArmMetrics],
    stays: Stays,
    bootstrap: Bootstrap,
    by_era: bool = False,
) -> Sequence[ResultRow]:
    """Rows of results.learner_comparisons, of one task, on the test stays.

    Split by era, arms that use images are compared on fewer stays.
    """
    shown = [learner for learner in learners if FULL in learner.conditions]
    rows: list[ResultRow] = []
    with_arms = list(product(shown, arms))
    for learner, arm in with_arms:
        among = stays.populations[populations_of(by_era, arm.scored.arm)[0]]
        rows += _against_arm(learner, arm, stays, among, _enough(bootstrap, with_arms))
    with_itself = [
        (learner, condition)
        for learner, condition in product(shown, WITHOUT_THE_PICTURE)
        if condition in learner.conditions
    ]
    for learner, condition in with_itself:
        rows += _against_condition(learner, condition, stays, _enough(bootstrap, with_itself))
    with_others = list(combinations(shown, 2))
    for learner, other in with_others:
        rows += _against_learner(learner, other, stays, _enough(bootstrap, with_others))
    return corrected(rows, FAMILY)


def _enough(bootstrap: Bootstrap, pairs: Sequence[object]) -> Bootstrap:
    """With as many resamples as so many pairs need."""
    return replace(bootstrap, n=resamples_needed(bootstrap.n, len(pairs)))


def chosen_arms(found: Sequence[ArmMetrics], fusion: str) -> list[ArmMetrics]:
    """One for each set of modalities, chosen on validation, of those of the default fusion."""
    by_arm = {each.scored.arm.name: each for each in found if each.scored.fusion == fusion}
    validation = {
        name: each.by_population["validation", ALL].point_estimates["auroc"].value
        for name, each in by_arm.items()
    }
    return [by_arm[name] for name in one_per_modalities(by_arm, validation)]


def _against_arm(
    learner: Learner, arm: ArmMetrics, stays: Stays, among: np.ndarray, bootstrap: Bootstrap
) -> Iterator[ResultRow]:
    full = learner.conditions[FULL]
    y_score = arm.scored.y_score["test"]
    common = _named("learner_against_arm", learner) | {
        "other_run_id": arm.scored.run_id,
        "other_arm": arm.scored.arm.name,
        "other_fusion": arm.scored.fusion,
    }
    if (rows := full.answered & among).any():
        yes = full.decision == 1
        as_often = replace(bootstrap, operating_point=OperatingPoint(match_alerts_of=yes))
        theirs = measured(stays, rows, y_score, OF_ALERTS, as_often)
        ours = measured(stays, rows, yes * 1.0, OF_ALERTS, as_often)
        yield from _differences(common, ASKED, ours, theirs)
    if (rows := full.has_p_yes & among).any():
        metrics = ("auroc", "auprc", "brier")
        theirs = measured(stays, rows, y_score, metrics, bootstrap)
        ours = measured(stays, rows, full.p_yes, metrics, bootstrap)
        yield from _differences(common, P_YES, ours, theirs, untested=UNTESTED)


def _against_condition(
    learner: Learner, condition: str, stays: Stays, bootstrap: Bootstrap
) -> Iterator[ResultRow]:
    full, other = (learner.conditions[name] for name in (FULL, condition))
    common = _named("uses_the_picture", learner, learner, condition)
    yield from _paired(common, full, other, ("auroc", "brier"), stays, bootstrap)
    if (rows := full.answered & other.answered).any():
        same = (full.decision == other.decision) | ~(full.decided | other.decided)
        found = measured(stays, rows, 1.0 - same, ("selection_rate",), bootstrap)
        changed = found.intervals()["selection_rate"]
        yield common | _mean_row("changed", ASKED, changed, bootstrap)
    if (rows := full.has_p_yes & other.has_p_yes).any():
        by = np.abs(full.p_yes - other.p_yes)[rows, None]
        of_whom = stays.y_true[rows], stays.subject_ids[rows]
        [moved] = ratio_intervals(
            by, np.ones(len(by)), *of_whom, bootstrap.n, bootstrap.seed, "no stays",
            per_class=True,
        )  # fmt: skip
        yield common | _mean_row("p_yes_moved", P_YES, moved, bootstrap)


def _against_learner(
    learner: Learner, other: Learner, stays: Stays, bootstrap: Bootstrap
) -> Iterator[ResultRow]:
    ours, theirs = (each.conditions[FULL] for each in (learner, other))
    common = _named("learner_against_learner", learner, other, FULL)
    yield from _paired(common, ours, theirs, ("auroc",), stays, bootstrap)


def _paired(
    common: ResultRow,
    ours: Answers,
    theirs: Answers,
    of_p_yes: Sequence[str],
    stays: Stays,
    bootstrap: Bootstrap,
) -> Iterator[ResultRow]:
    """Accuracy on the stays that both answered, and metrics of p_yes where both have one."""
    if (rows := ours.answered & theirs.answered).any():
        decisions = [each.refusals_wrong(stays.y_true) for each in (ours, theirs)]
        pair = [measured(stays, rows, each, ("accuracy",), bootstrap) for each in decisions]
        yield from _differences(common, AS_WRONG, *pair)
    if (rows := ours.has_p_yes & theirs.has_p_yes).any():
        pair = [measured(stays, rows, each.p_yes, of_p_yes, bootstrap) for each in (ours, theirs)]
        yield from _differences(common, P_YES, *pair)


def _differences(
    common: Mapping[str, object],
    counting: str,
    ours: BootstrapResult,
    theirs: BootstrapResult,
    *,
    untested: Mapping[str, str] | None = None,
) -> Iterator[ResultRow]:
    for metric, found in ours.minus(theirs, untested).items():
        yield {**common, "counting": counting, "metric": metric} | statistics_row(found)


def _mean_row(metric: str, counting: str, mean: Interval, bootstrap: Bootstrap) -> ResultRow:
    """A mean that cannot be below 0: an interval, but no p-value for its being 0."""
    row = statistics_row(mean)
    row["difference"] = row.pop("value")
    return {
        "counting": counting, "metric": metric, "p_value": None, "n_resamples": bootstrap.n, **row
    }  # fmt: skip


def _named(
    question: str, learner: Learner, other: Learner | None = None, condition: str | None = None
) -> ResultRow:
    return {
        "question": question,
        "learner": learner.name,
        "fingerprint": learner.fingerprint,
        "condition": FULL,
        "other_learner": other.name if other else None,
        "other_fingerprint": other.fingerprint if other else None,
        "other_condition": condition,
        "other_run_id": None,
        "other_arm": None,
        "other_fusion": None,
    }

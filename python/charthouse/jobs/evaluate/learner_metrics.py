"""How good the answers of multimodal learners are, overall and by subgroup.

Answers are counted in four ways, each its own `counting`:

- asked: every stay with an answer; the share of those that are yes or no.
- answered: those that are yes or no.
- as_wrong: every stay with an answer, each refusal as the wrong decision: a learner cannot gain by
  refusing what is hard.
- p_yes: the probability of yes, where it is known, refusals included.

A question that has no answer so far is in none of them; n_errors counts it.

Of as_wrong there is no selection rate and so no demographic parity: which decision is the wrong one
depends on the outcome, so that the share of yes would too. Its equalized odds stay: they are rates
within an outcome, and a learner that refuses one group more often is no fairer for it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from charthouse.jobs.ask.conditions import FULL
from charthouse.jobs.evaluate.arm_metrics import (
    ACCURACY_AT,
    Bootstrap,
    ResultRow,
    measured,
    statistics_row,
)
from charthouse.jobs.evaluate.learner_answers import Answers, Learner
from charthouse.jobs.evaluate.scored import Stays
from charthouse.stats.bootstrap import Interval
from charthouse.stats.fairness import GroupBootstrapResult, bootstrap_groups, group_names
from charthouse.stats.metrics import MetricValue

ASKED, ANSWERED, AS_WRONG, P_YES = "asked", "answered", "as_wrong", "p_yes"

SHARE = "share_answered"
OF_DECISIONS = ("accuracy", "sensitivity", "specificity", "ppv", "f1")
OF_P_YES = ("auroc", "auprc", "brier", "calibration_slope", "calibration_intercept", "ece")
OF_ALL = {
    ASKED: ("selection_rate",),  # SHARE
    ANSWERED: OF_DECISIONS,
    AS_WRONG: OF_DECISIONS,
    P_YES: OF_P_YES,
}
OF_GROUPS = {
    ASKED: ("selection_rate",),  # SHARE
    ANSWERED: ("accuracy", "tpr", "fpr", "selection_rate", "ppv", "f1"),
    AS_WRONG: ("accuracy", "tpr", "fpr", "ppv", "f1"),
    P_YES: ("auroc",),
}
WHY_NONE = {
    ASKED: "no question has an answer",
    ANSWERED: "no answer is yes or no",
    AS_WRONG: "no question has an answer",
    P_YES: "no answer has a p_yes",
}


def metric_rows(learner: Learner, stays: Stays, bootstrap: Bootstrap) -> Iterator[ResultRow]:
    """Rows of results.learner_metrics: every condition on all stays, `full` by subgroup too."""
    for condition, answers in learner.conditions.items():
        common = {
            "condition": condition,
            "attribute": None,
            "subgroup": None,
            "n_errors": int(answers.failed.sum()),
            "answers_hash": answers.answers_hash,
        }
        for counting, found in _of_all(answers, stays, bootstrap):
            for metric, interval in found.items():
                yield common | statistics_row(interval) | _called(counting, metric)
    for attribute, counting, grouped in _by_group(learner, stays, bootstrap):
        full = learner.conditions[FULL]
        failed = group_names(stays.groups[attribute][full.failed])
        for subgroup, intervals in grouped.intervals().items():
            common = {
                "condition": FULL,
                "attribute": attribute,
                "subgroup": subgroup,
                "n_errors": int((failed == subgroup).sum()),
                "answers_hash": full.answers_hash,
            }
            for metric, interval in intervals.items():
                yield common | statistics_row(interval) | _called(counting, metric)


def _counted(answers: Answers, y_true: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Counting to which stays it takes [n] and their decisions or probabilities [n]."""
    return {
        ASKED: (answers.answered, answers.decided * 1.0),
        ANSWERED: (answers.decided, answers.decision),
        AS_WRONG: (answers.answered, answers.refusals_wrong(y_true)),
        P_YES: (answers.has_p_yes, answers.p_yes),
    }


def _called(counting: str, metric: str) -> ResultRow:
    """The metric's name in the results: what is selected of all answers is yes or no."""
    return {"counting": counting, "metric": SHARE if counting == ASKED else metric}


def _of_all(
    answers: Answers, stays: Stays, bootstrap: Bootstrap
) -> Iterator[tuple[str, dict[str, Interval]]]:
    """Countings, with the intervals of their metrics."""
    for counting, (rows, y_score) in _counted(answers, stays.y_true).items():
        metrics = OF_ALL[counting]
        if rows.any():
            yield counting, measured(stays, rows, y_score, metrics, bootstrap).intervals()
        else:
            nothing = Interval(np.nan, np.nan, np.nan, 0, 0, 0, WHY_NONE[counting])
            yield counting, dict.fromkeys(metrics, nothing)


def fairness_rows(learner: Learner, stays: Stays, bootstrap: Bootstrap) -> Iterator[ResultRow]:
    """Rows of results.learner_fairness."""
    for attribute, counting, grouped in _by_group(learner, stays, bootstrap):
        if counting == ASKED:  # no decisions
            continue
        for metric, found in grouped.fairness().items():
            yield statistics_row(found) | {
                "condition": FULL,
                "attribute": attribute,
                "counting": counting,
                "metric": metric,
            }


def _by_group(
    learner: Learner, stays: Stays, bootstrap: Bootstrap
) -> Iterator[tuple[str, str, GroupBootstrapResult]]:
    """Attribute, counting and the metrics by group, of `full`."""
    if (answers := learner.conditions.get(FULL)) is None:
        return
    counted = _counted(answers, stays.y_true)
    for attribute, groups in stays.groups.items():
        heard = set(group_names(groups[answers.answered]).tolist())
        for counting, (rows, y_score) in counted.items():
            if rows.any():
                grouped = bootstrap_groups(
                    stays.y_true[rows],
                    y_score[rows],
                    stays.subject_ids[rows],
                    groups[rows],
                    ACCURACY_AT,
                    OF_GROUPS[counting],
                    bootstrap.n,
                    bootstrap.seed,
                    bootstrap.min_group,
                )
                absent = sorted(heard - set(grouped.by_group))
                yield attribute, counting, _with_absent(grouped, absent, WHY_NONE[counting])


def _with_absent(
    grouped: GroupBootstrapResult, absent: Sequence[str], why_none: str
) -> GroupBootstrapResult:
    """With the groups that answered, but not so that it counts."""
    one = next(iter(grouped.by_group.values()))
    nothing = replace(
        one,
        point_estimates=dict.fromkeys(one.point_estimates, MetricValue(np.nan, why_none)),
        resamples=dict.fromkeys(one.point_estimates, np.full(grouped.n_bootstrap, np.nan)),
        n=0,
        n_positive=0,
        patients=0,
    )
    return replace(grouped, by_group=grouped.by_group | dict.fromkeys(absent, nothing))


def in_words(learner: Learner, rows: Sequence[ResultRow]) -> str:
    """One line about answers to `full`, from rows of metric_rows; nothing of a patient."""
    of_all = {
        (row["counting"], row["metric"]): row
        for row in rows
        if row["condition"] == FULL and row["attribute"] is None
    }
    if not of_all:
        return f"{learner.name}: not asked with all evidence"
    share = of_all[ASKED, SHARE]
    accuracy = of_all[AS_WRONG, "accuracy"]
    metrics = [
        f"answered {_in_words(share)} of {share['n']}",
        f"accuracy {_in_words(accuracy)} (refusals wrong{_majority(accuracy)})",
        f"AUROC {_in_words(of_all[P_YES, 'auroc'])}",
    ]
    errors = f"; {share['n_errors']} without an answer so far" if share["n_errors"] else ""
    return f"{learner.name}: {', '.join(metrics)}{errors}"


def _majority(row: ResultRow) -> str:
    """What always saying the larger class gets on the same stays."""
    n, n_positive = row["n"], row["n_positive"]
    return f"; the larger class {max(n_positive, n - n_positive) / n:.3f}" if n else ""


def _in_words(row: ResultRow) -> str:
    if row["value"] is None:
        return "unknown"
    if row["ci_low"] is None:
        return f"{row['value']:.3f} (no interval)"
    return f"{row['value']:.3f} [{row['ci_low']:.3f}, {row['ci_high']:.3f}]"

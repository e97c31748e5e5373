"""The figures of multimodal learners: how good their answers are, overall and by subgroup.

Answers are counted in four ways, each its own `counting`:

- asked: every stay with an answer; the share of those that are yes or no.
- answered: those that are yes or no.
- as_wrong: every stay with an answer, each refusal as the wrong decision: a learner cannot gain by
  refusing what is hard.
- p_yes: the probability of yes, where it is known, refusals included.

A question that has no answer so far is in none of them; n_errors counts it.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from charthouse.ask.conditions import FULL
from charthouse.evaluate.figures import ACCURACY_AT, Bootstrap, Row, fairness_row, interval_row
from charthouse.evaluate.learner_answers import Answers, Learner
from charthouse.evaluate.scored import Stays
from charthouse.statistics.bootstrap import Interval, Resampled, resample
from charthouse.statistics.groups import GroupedResampled, group_names, resample_groups

ASKED, ANSWERED, AS_WRONG, P_YES = "asked", "answered", "as_wrong", "p_yes"

SHARE = "share_answered"
OF_DECISIONS = ("accuracy", "sensitivity", "specificity", "ppv", "f1")
OF_P_YES = ("auroc", "auprc", "brier", "calibration_slope", "calibration_intercept", "ece")
OF_GROUPS = {AS_WRONG: ("accuracy", "tpr", "fpr", "selection_rate"), P_YES: ("auroc",)}


def measured_on(
    stays: Stays,
    rows: np.ndarray,
    y_score: np.ndarray,
    metrics: Sequence[str],
    bootstrap: Bootstrap,
) -> Resampled:
    """Metrics of decisions (1.0 or 0.0) or probabilities [n] on the chosen stays [n]."""
    sample = stays.y_true[rows], y_score[rows], stays.subject_ids[rows]
    return resample(*sample, ACCURACY_AT, metrics, bootstrap.n, bootstrap.seed)


def metric_rows(learner: Learner, stays: Stays, bootstrap: Bootstrap) -> Iterator[Row]:
    """Rows of results.learner_metrics: every condition on all stays, `full` by subgroup too."""
    for condition, answers in learner.conditions.items():
        common = {"condition": condition, "attribute": None, "subgroup": None}
        for counting, found in _of_all(answers, stays, bootstrap).items():
            for metric, interval in found.items():
                yield (
                    common
                    | interval_row(interval)
                    | {
                        "counting": counting,
                        "metric": metric,
                        "n_errors": int(answers.failed.sum()),
                    }
                )
    for attribute, counting, grouped in _by_group(learner, stays, bootstrap):
        failed = group_names(stays.groups[attribute][learner.conditions[FULL].failed])
        for subgroup, intervals in grouped.intervals().items():
            for metric, interval in intervals.items():
                yield interval_row(interval) | {
                    "condition": FULL,
                    "attribute": attribute,
                    "subgroup": subgroup,
                    "counting": counting,
                    "metric": metric,
                    "n_errors": int((failed == subgroup).sum()),
                }


def _of_all(answers: Answers, stays: Stays, bootstrap: Bootstrap) -> dict[str, dict[str, Interval]]:
    """Counting to the intervals of its metrics."""
    share = _intervals(
        stays, answers.answered, answers.decided * 1.0, ["selection_rate"], bootstrap,
        "no question has an answer",
    )  # fmt: skip
    return {
        ASKED: {SHARE: share["selection_rate"]},
        ANSWERED: _intervals(
            stays, answers.decided, answers.decision, OF_DECISIONS, bootstrap,
            "no answer is yes or no",
        ),
        AS_WRONG: _intervals(
            stays, answers.answered, answers.refusals_wrong(stays.y_true), OF_DECISIONS, bootstrap,
            "no question has an answer",
        ),
        P_YES: _intervals(
            stays, answers.has_p_yes, answers.p_yes, OF_P_YES, bootstrap, "no answer has a p_yes"
        ),
    }  # fmt: skip


def _intervals(
    stays: Stays,
    rows: np.ndarray,
    y_score: np.ndarray,
    metrics: Sequence[str],
    bootstrap: Bootstrap,
    why_none: str,
) -> dict[str, Interval]:
    if not rows.any():
        return dict.fromkeys(metrics, Interval(np.nan, np.nan, np.nan, 0, 0, 0, why_none))
    return measured_on(stays, rows, y_score, metrics, bootstrap).intervals()


def fairness_rows(learner: Learner, stays: Stays, bootstrap: Bootstrap) -> Iterator[Row]:
    """Rows of results.learner_fairness."""
    for attribute, counting, grouped in _by_group(learner, stays, bootstrap):
        for metric, found in grouped.fairness().items():
            yield fairness_row(found) | {
                "condition": FULL,
                "attribute": attribute,
                "counting": counting,
                "metric": metric,
            }


def _by_group(
    learner: Learner, stays: Stays, bootstrap: Bootstrap
) -> Iterator[tuple[str, str, GroupedResampled]]:
    """Attribute, counting and the metrics by group, of `full`."""
    if (answers := learner.conditions.get(FULL)) is None:
        return
    counted = {
        AS_WRONG: (answers.answered, answers.refusals_wrong(stays.y_true)),
        P_YES: (answers.has_p_yes, answers.p_yes),
    }
    for attribute, groups in stays.groups.items():
        for counting, (rows, y_score) in counted.items():
            if rows.any():
                yield (
                    attribute,
                    counting,
                    resample_groups(
                        stays.y_true[rows],
                        y_score[rows],
                        stays.subject_ids[rows],
                        groups[rows],
                        ACCURACY_AT,
                        OF_GROUPS[counting],
                        bootstrap.n,
                        bootstrap.seed,
                        bootstrap.min_group,
                    ),
                )


def in_words(learner: Learner, rows: Sequence[Row]) -> str:
    """One line about a learner's answers to `full`: counts and figures, nothing of a patient.

    Args:
        learner: The learner.
        rows: Its rows of results.learner_metrics.
    """
    of_all = {
        (row["counting"], row["metric"]): row
        for row in rows
        if row["condition"] == FULL and row["attribute"] is None
    }
    if not of_all:
        return f"{learner.name}: not asked with all evidence"
    share = of_all[ASKED, SHARE]
    figures = [
        f"answered {_in_words(share)} of {share['n']}",
        f"accuracy {_in_words(of_all[AS_WRONG, 'accuracy'])} (refusals wrong)",
        f"AUROC {_in_words(of_all[P_YES, 'auroc'])}",
    ]
    errors = f"; {share['n_errors']} without an answer so far" if share["n_errors"] else ""
    return f"{learner.name}: {', '.join(figures)}{errors}"


def _in_words(row: Row) -> str:
    if row["value"] is None:
        return "unknown"
    if row["ci_low"] is None:
        return f"{row['value']:.3f}"
    return f"{row['value']:.3f} [{row['ci_low']:.3f}, {row['ci_high']:.3f}]"

"""Which few arms are drawn where all of them would be a tangle."""

from collections.abc import Sequence

from charthouse.core.errors import CharthouseError
from charthouse.jobs.evaluate.representatives import one_per_modalities
from charthouse.views.report.read import Found, Row, TaskResults

MOST = 6  # as many as there are colours and markers that can be told apart


def chosen(results: TaskResults, asked: Sequence[str]) -> list[Row]:
    """Rows of reports.arms: those asked for, else one for each set of modalities."""
    by_arm = {run["arm"]: run for run in results.runs if run["fusion"] == results.fusion}
    if asked:
        return [by_arm[arm] for arm in dict.fromkeys(asked) if arm in by_arm]
    validation = {
        arm: run["validation_auroc"]
        for arm, run in by_arm.items()
        if run["validation_auroc"] is not None
    }
    return [by_arm[arm] for arm in one_per_modalities(by_arm, validation)]


def require_known_arms(found: Found, asked: Sequence[str]) -> None:
    """Stops at an arm that no task has figures of.

    Raises:
        CharthouseError: there is one, or too many are asked for.
    """
    if len(set(asked)) > MOST:
        raise CharthouseError(f"--arm: {len(set(asked))} arms in a picture; at most {MOST}.")
    known = {
        run["arm"] for task in found.tasks for run in task.runs if run["fusion"] == task.fusion
    }
    for arm in asked:
        if arm not in known:
            raise CharthouseError(
                f"--arm '{arm}' has no figures on this cohort. Those that have:"
                f" {', '.join(sorted(known))}."
            )

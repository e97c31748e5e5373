"""Evaluates every arm and learner that has scored the present cohort, and compares them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from charthouse.core.cohort import read_cohort
from charthouse.core.errors import CharthouseError, require_known
from charthouse.core.progress import PrintLine, ProgressBar
from charthouse.core.runs import Run
from charthouse.core.warehouse import open_warehouse
from charthouse.jobs.evaluate import store
from charthouse.jobs.evaluate.arm_metrics import ArmMetrics
from charthouse.jobs.evaluate.comparisons import in_words
from charthouse.jobs.evaluate.precision import how_sure
from charthouse.jobs.evaluate.scored import ALL, CXR_YEARS, Stays
from charthouse.jobs.evaluate.task import EvaluateRequest, Task, TaskInputs
from charthouse.models.encoders.registry import encoder_specs
from charthouse.stats.bootstrap import minority_class_patients


def evaluate(
    project: Path, warehouse: Path, request: EvaluateRequest, *, say: PrintLine, watch: ProgressBar
) -> None:
    """Fills results.metrics, comparisons, subgroup_metrics, fairness, contributions and curves.

    And the learner_ tables, where learners have been asked.

    Raises:
        CharthouseError: there is nothing to evaluate, or not of a task that was named (the others
            are evaluated first), or an option makes no sense.
    """
    with open_warehouse(warehouse) as db:
        cohort = read_cohort(db)
    for task in request.tasks:
        require_known("--task", task, cohort.tasks)
    request = request.once()
    specs = encoder_specs(project)
    say(f"{cohort.describe()} in {warehouse}")
    left_out = []
    for task in request.tasks or cohort.tasks:
        if not _evaluate(Task(project, warehouse, cohort, specs, task, request, say), watch):
            left_out.append(task)
    nothing = "no arm has scored this cohort. Run charthouse predict first."
    if left_out and (request.tasks or len(left_out) == len(cohort.tasks)):
        raise CharthouseError(f"{', '.join(left_out)}: {nothing}")
    for task in left_out:
        say(f"  left out: {task}: {nothing}")


def _evaluate(task: Task, watch: ProgressBar) -> bool:
    """All results of a task, written in one transaction.

    So the current results of a task are of one evaluation, also when a later one is killed.

    Returns:
        Whether there was anything: an arm or a learner that has scored the task.
    """
    subject = task.read()
    if not subject.scored and not subject.learners:
        return False
    with _run(task, subject) as run:
        made = task.compute(subject, run.run_id, watch)
        with run.transaction() as db:
            store.write(db, made.replacements)
            run.counts = {
                "arms": len(subject.scored),
                "comparisons": len(subject.asked),
                "learners": len(subject.learners),
            }
            run.finish(db)
    test = subject.stays["test"]
    counted = ", ".join(
        f"{n} {'pairs of arms' if what == 'comparisons' else what}"
        for what, n in run.counts.items()
        if n
    )
    task.say(
        f"  {task.task}: {counted} on {len(test.stay_ids)} test stays, {task.request.n_bootstrap}"
        f" resamples ({run.run_id})"
    )
    pairs = {  # each in its main population, the first
        (row["question"], row["run_id"], row["other_run_id"]): row
        for row in reversed(made.compared)
        if row["is_primary"]
    }
    lines = filter(None, [
        *made.of_learners,
        _how_sure(list(made.found.values()), test),
        in_words(list(pairs.values()), "arms"),
        in_words(made.against, "learners and what they are held against"),
        _of_cxr_years(task, test),
    ])  # fmt: skip
    for line in lines:
        task.say(f"    {line}")
    return True


def _run(task: Task, subject: TaskInputs) -> Run:
    """With all settings of it: `charthouse audit --full` evaluates by them again."""
    settings = {
        "n_bootstrap": task.request.n_bootstrap,
        "attributes": list(task.request.attributes),
        "min_group": task.request.min_group,
        "compare": [list(pair) for pair in task.request.compare],
        "decision_threshold": task.cohort.variables["decision_threshold"],
        "alert_rate": task.operating_point.alert_rate,
        "at_sensitivity": task.operating_point.sensitivity,
    }
    return Run(
        warehouse=task.warehouse,
        cohort=task.cohort,
        kind="evaluate",
        name="evaluate",
        task=task.task,
        seed=task.request.seed,
        settings=settings,
        fingerprint=subject.fingerprint,
        reads=task.cohort.reads(
            ("task", task.task), ("population", "complete"), ("settings", "evaluation")
        ),
    )


def _of_cxr_years(task: Task, test: Stays) -> str:
    """What there is to say of the population, if anything."""
    n = int(test.populations[CXR_YEARS].sum())
    if task.by_era:
        return (
            "Split by era: arms that use images are compared within the MIMIC-CXR years alone,"
            f" on {n:,} of {len(test.stay_ids):,} test stays."
        )
    return "" if n else "No test stay lies within the MIMIC-CXR years: that population is empty."


def _how_sure(found: Sequence[ArmMetrics], test: Stays) -> str:
    intervals = [each.by_population["test", ALL].intervals()["auroc"] for each in found]
    return how_sure(
        [each.ci_high - each.ci_low for each in intervals if not np.isnan(each.ci_low)],
        patients=len(np.unique(test.subject_ids)),
        rarer=minority_class_patients(test.y_true, test.subject_ids),
        n=len(test.y_true),
        n_positive=int(test.y_true.sum()),
    )

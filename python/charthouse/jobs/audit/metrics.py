"""Recomputes metrics from the predictions, with the same code, and compares."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb

from charthouse.core.cohort import Cohort
from charthouse.core.errors import CharthouseError
from charthouse.jobs.audit.findings import Finding, finding
from charthouse.jobs.audit.tolerance import is_close
from charthouse.jobs.evaluate.arm_metrics import (
    Bootstrap,
    ResultRow,
    measure_arm,
    rows_by_table,
)
from charthouse.jobs.evaluate.scored import read_scored, read_stays
from charthouse.jobs.evaluate.task import SPLITS
from charthouse.models.encoders.registry import encoder_specs
from charthouse.stats.samples import OperatingPoint

CHECK = "metrics_not_of_the_predictions"
KEYS = {
    "metrics": ("split", "population", "metric"),
    "subgroup_metrics": ("split", "population", "attribute", "subgroup", "metric"),
    "fairness": ("split", "population", "attribute", "metric"),
}
VALUES = {
    "metrics": ("value", "threshold", "n", "n_positive"),
    "subgroup_metrics": ("value", "threshold", "n", "n_positive"),
    "fairness": ("value", "threshold", "n_groups", "worst_group", "left_out"),
}
"""Columns that do not depend on the number of resamples; evaluation.py checks intervals."""
NAMES = ("task", "arm", "fusion")


def recompute_metrics(db: duckdb.DuckDBPyConnection, project: Path, cohort: Cohort) -> Finding:
    """Compares metrics, subgroup metrics and fairness measures of every current arm."""
    specs = encoder_specs(project)
    checked = 0
    problems: list[str] = []
    for task in cohort.tasks:
        problems += [f"{arm}: no metrics of its evaluation" for arm in _without_metrics(db, task)]
        evaluated, lost = _evaluated(db, task)
        problems += lost
        if not evaluated:
            continue
        attributes = sorted({name for of, _ in evaluated.values() for name in of})
        stays = {split: read_stays(db, task, split, attributes) for split in SPLITS}
        try:
            arms = read_scored(db, task, stays, specs)
        except CharthouseError:  # audit_predictions_of_another_cohort and _outcome say which
            problems.append(f"{task}: predictions that are not of the stays")
            continue
        for each in arms:
            if each.run_id not in evaluated:
                continue
            setting = cohort.variables["decision_threshold"]
            again = measure_arm(each, stays, setting, evaluated[each.run_id][1], 1)
            for table, rows in rows_by_table(again).items():
                names = (task, each.arm.name, each.fusion)
                n, wrong = _compare(db, table, each.run_id, names, rows)
                checked += n
                label = f"{task} {each.arm.name} by {each.fusion}"
                problems += [f"{label}: {words}" for words in wrong]
    return finding(CHECK, checked, [(None, words) for words in problems])


def _evaluated(
    db: duckdb.DuckDBPyConnection, task: str
) -> tuple[dict[str, tuple[Sequence[str], Bootstrap]], list[str]]:
    """Current runs of predict that have metrics, and by which attributes and settings.

    Of settings those that point estimates depend on; and runs of whose evaluation nobody knows.
    """
    rows = db.execute(
        "select distinct arms.run_id, arms.settings ->> 'arm', arms.settings ->> 'fusion',"
        " evaluations.seed, from_json(evaluations.settings -> 'attributes', '[\"varchar\"]'),"
        " cast(evaluations.settings ->> 'min_group' as integer),"
        " cast(evaluations.settings ->> 'alert_rate' as double),"
        " cast(evaluations.settings ->> 'at_sensitivity' as double)"
        " from results.metrics inner join results.current_runs as arms using (run_id)"
        " left join results.runs as evaluations on metrics.evaluation_run_id = evaluations.run_id"
        " where arms.kind = 'predict' and arms.task = ? and (evaluations.run_id is null"
        " or evaluations.run_id in (select run_id from results.current_evaluations)) order by all",
        [task],
    ).fetchall()
    evaluated: dict[str, tuple[Sequence[str], Bootstrap]] = {}
    lost = []
    for run_id, arm, fusion, seed, attributes, min_group, alert_rate, at_sensitivity in rows:
        if None in (seed, attributes, min_group) or run_id in evaluated:
            lost.append(f"{task} {arm} by {fusion}: metrics of an unknown evaluation")
            continue
        point = OperatingPoint(alert_rate, at_sensitivity)
        evaluated[run_id] = attributes, Bootstrap(1, seed, min_group, point)
    return evaluated, lost


def _without_metrics(db: duckdb.DuckDBPyConnection, task: str) -> list[str]:
    """Arms that the standing evaluation has scored and that have no metrics of it."""
    rows = db.execute(
        "select arms.settings ->> 'arm', arms.settings ->> 'fusion'"
        " from results.current_runs as arms inner join results.current_runs as evaluation"
        " on list_contains(string_split(evaluation.fingerprint, ','), arms.run_id)"
        " where arms.kind = 'predict' and evaluation.kind = 'evaluate' and arms.task = $1"
        " and evaluation.task = $1"
        " and not exists (from results.metrics where metrics.run_id = arms.run_id"
        " and metrics.evaluation_run_id = evaluation.run_id) order by all",
        [task],
    ).fetchall()
    return [f"{task} {arm} by {fusion}" for arm, fusion in rows]


def _compare(
    db: duckdb.DuckDBPyConnection,
    table: str,
    run_id: str,
    names: tuple[str, str, str],
    rows: Iterable[ResultRow],
) -> tuple[int, list[str]]:
    """How many rows are kept, and what is wrong with which."""
    keys, values = KEYS[table], VALUES[table]
    columns = (*keys, *values, *NAMES)
    stored = db.execute(
        f"select {', '.join(columns)} from results.{table} where run_id = ? order by all", [run_id]
    ).fetchall()
    again = {
        tuple(row[key] for key in keys): row | dict(zip(NAMES, names, strict=True)) for row in rows
    }
    wrong = []
    times = Counter(row[: len(keys)] for row in stored)
    for row in stored:
        kept, key = dict(zip(columns, row, strict=True)), row[: len(keys)]
        words = " ".join(map(str, key))
        if key not in again or times[key] > 1:
            wrong.append(f"{words} should not be there{' twice' if key in again else ''}")
        elif differ := [c for c in (*values, *NAMES) if not is_close(kept[c], again[key][c])]:
            wrong.append(f"{words} ({', '.join(differ)})")
    wrong += [f"{' '.join(map(str, key))} missing" for key in again if key not in times]
    return len(stored), sorted(wrong)

"""Metrics, computed again from the predictions by the code that computed them."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import duckdb

from charthouse.audit.findings import Finding, found
from charthouse.cohort import Cohort
from charthouse.encoders.registry import encoder_specs
from charthouse.errors import CharthouseError
from charthouse.evaluate import figures as of
from charthouse.evaluate.figures import Bootstrap, Row
from charthouse.evaluate.run import SPLITS
from charthouse.evaluate.scored import read_scored, read_stays

CHECK = "metrics_not_of_the_predictions"
TOLERANCE = 1e-9
KEYS = {
    "metrics": ("split", "population", "metric"),
    "subgroup_metrics": ("split", "population", "attribute", "subgroup", "metric"),
    "fairness": ("split", "population", "attribute", "metric"),
}
VALUES = {
    "metrics": ("value", "threshold", "n", "n_positive"),
    "subgroup_metrics": ("value", "threshold", "n", "n_positive"),
    "fairness": ("value", "threshold", "n_groups"),
}
"""What one resample gives as a thousand do; intervals `charthouse audit --full` computes again."""


def measure_again(db: duckdb.DuckDBPyConnection, project: Path, cohort: Cohort) -> Finding:
    """Compares metrics, metrics of subgroups and measures of fairness of every current arm.

    Args:
        db: the warehouse.
        project: folder of dbt_project.yml.
        cohort: its present cohort.
    """
    specs = encoder_specs(project)
    checked = 0
    problems: list[tuple[int | None, str]] = []
    for task in cohort.tasks:
        evaluated = _evaluated(db, cohort, task)
        if not evaluated:
            continue
        attributes = sorted({name for _, names, _ in evaluated.values() for name in names})
        stays = {split: read_stays(db, task, split, attributes) for split in SPLITS}
        try:
            arms = read_scored(db, cohort, task, stays, specs)
        except CharthouseError:  # audit_predictions_of_another_cohort and _outcome say which
            problems.append((None, f"{task}: predictions that are not of the stays"))
            continue
        for each in arms:
            if each.run_id not in evaluated:
                continue
            seed, _, min_group = evaluated[each.run_id]
            setting = cohort.variables["decision_threshold"]
            again = of.figures(each, stays, setting, Bootstrap(1, seed, min_group), 1)
            tables: dict[str, Iterable[Row]] = {
                "metrics": of.metric_rows(again),
                "subgroup_metrics": of.subgroup_rows(again),
                "fairness": of.fairness_rows(again),
            }
            for table, rows in tables.items():
                n, wrong = _compare(db, table, each.run_id, rows)
                checked += n
                label = f"{task} {each.arm.name} by {each.fusion}"
                problems += [(None, f"{label}: {words}") for words in wrong]
    return found(CHECK, checked, problems)


def _evaluated(
    db: duckdb.DuckDBPyConnection, cohort: Cohort, task: str
) -> dict[str, tuple[int, Sequence[str], int]]:
    """Runs of predict that have metrics, with seed, attributes and min_group of the evaluation."""
    rows = db.execute(
        "select distinct metrics.run_id, runs.seed,"
        " from_json(runs.settings -> 'attributes', '[\"varchar\"]'),"
        " cast(runs.settings ->> 'min_group' as integer)"
        " from results.metrics inner join results.runs as runs"
        " on metrics.evaluation_run_id = runs.run_id"
        " where metrics.task = ? and runs.cohort_hash = ?",
        [task, cohort.cohort_hash],
    ).fetchall()
    return {run_id: (seed, attributes, min_group) for run_id, seed, attributes, min_group in rows}


def _compare(
    db: duckdb.DuckDBPyConnection, table: str, run_id: str, rows: Iterable[Row]
) -> tuple[int, list[str]]:
    """How many rows are kept, and what is wrong with which."""
    keys, values = KEYS[table], VALUES[table]
    kept = {
        row[: len(keys)]: dict(zip(values, row[len(keys) :], strict=True))
        for row in db.execute(
            f"select {', '.join((*keys, *values))} from results.{table} where run_id = ?", [run_id]
        ).fetchall()
    }
    again = {tuple(row[key] for key in keys): row for row in rows}
    wrong = []
    for key in sorted(kept.keys() | again.keys(), key=str):
        words = " ".join(map(str, key))
        if key not in kept or key not in again:
            wrong.append(f"{words} {'missing' if key not in kept else 'should not be there'}")
            continue
        differ = [name for name in values if not _close(kept[key][name], again[key][name])]
        if differ:
            wrong.append(f"{words} ({', '.join(differ)})")
    return len(kept), wrong


def _close(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)

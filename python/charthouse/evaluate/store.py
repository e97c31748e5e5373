"""The rows of results that `evaluate` writes: what there was of the same is replaced."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import duckdb

from charthouse.cohort import Cohort
from charthouse.warehouse import insert_columns

OF_RUNS = ("metrics", "subgroup_metrics", "fairness", "contributions", "curves")
"""Tables with figures of one run of predict each."""

OF_LEARNERS = ("learner_metrics", "learner_fairness", "learner_contributions")
"""Tables with figures of one learner each."""


def replace_figures(
    db: duckdb.DuckDBPyConnection,
    run_ids: Sequence[str],
    rows: Mapping[str, Iterable[Mapping[str, Any]]],
) -> None:
    """Writes all figures of some runs of predict, in the caller's transaction.

    Args:
        db: The warehouse.
        run_ids: The runs.
        rows: Table of OF_RUNS to its rows.
    """
    for table in OF_RUNS:
        db.execute(
            f"delete from results.{table} where run_id in (select unnest(?))", [list(run_ids)]
        )
        _insert(db, f"results.{table}", list(rows.get(table, ())))


def replace_comparisons(
    db: duckdb.DuckDBPyConnection,
    cohort: Cohort,
    task: str,
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Writes all comparisons of a task on the present cohort, in the caller's transaction."""
    db.execute(
        "delete from results.comparisons where task = ? and run_id in"
        " (select run_id from results.runs where cohort_hash = ?)",
        [task, cohort.cohort_hash],
    )
    _insert(db, "results.comparisons", rows)


def replace_learner(
    db: duckdb.DuckDBPyConnection,
    cohort: Cohort,
    task: str,
    learner: str,
    rows: Mapping[str, Iterable[Mapping[str, Any]]],
) -> None:
    """Writes all figures of a learner on the present cohort, in the caller's transaction.

    Args:
        db: The warehouse.
        cohort: The present one.
        task: The task.
        learner: Its name; what it had under other settings is replaced too.
        rows: Table of OF_LEARNERS to its rows.
    """
    for table in OF_LEARNERS:
        db.execute(
            f"delete from results.{table} where task = ? and learner = ? and cohort_hash = ?",
            [task, learner, cohort.cohort_hash],
        )
        _insert(db, f"results.{table}", list(rows.get(table, ())))


def replace_learner_comparisons(
    db: duckdb.DuckDBPyConnection,
    cohort: Cohort,
    task: str,
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Writes all comparisons of a task's learners, in the caller's transaction."""
    db.execute(
        "delete from results.learner_comparisons where task = ? and cohort_hash = ?",
        [task, cohort.cohort_hash],
    )
    _insert(db, "results.learner_comparisons", rows)


def _insert(db: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        insert_columns(db, table, {name: [row[name] for row in rows] for name in rows[0]})

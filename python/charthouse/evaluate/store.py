"""The rows of results that `evaluate` writes: what there was of the same is replaced."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import duckdb

from charthouse.cohort import Cohort
from charthouse.warehouse import insert_columns

Rows = Sequence[Mapping[str, Any]]


def joined(parts: Iterable[Mapping[str, Rows]]) -> dict[str, Rows]:
    """Tables of results to the rows of all parts."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for part in parts:
        for table, rows in part.items():
            found.setdefault(table, []).extend(rows)
    return dict(found)


def replace(db: duckdb.DuckDBPyConnection, tables: Mapping[str, Rows], **of: Sequence[str]) -> None:
    """Writes figures in place of all that were of the same, in the caller's transaction.

    Args:
        db: The warehouse.
        tables: Table of results to its rows; of none, what there was goes all the same.
        of: Columns and the values by which the rows to be replaced are known: those of runs, or
            of learners, their task and cohort.
    """
    same = " and ".join(f"{column} in (select unnest(?::varchar[]))" for column in of)
    for table, rows in tables.items():
        db.execute(
            f"delete from results.{table} where {same}", [list(values) for values in of.values()]
        )
        _insert(db, table, rows)


def replace_comparisons(
    db: duckdb.DuckDBPyConnection, cohort: Cohort, task: str, rows: Rows
) -> None:
    """Writes all comparisons of a task's arms on the present cohort, likewise."""
    db.execute(
        "delete from results.comparisons where task = ? and run_id in"
        " (select run_id from results.runs where cohort_hash = ?)",
        [task, cohort.cohort_hash],
    )
    _insert(db, "comparisons", rows)


def _insert(db: duckdb.DuckDBPyConnection, table: str, rows: Rows) -> None:
    if rows:
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        insert_columns(db, f"results.{table}", columns)

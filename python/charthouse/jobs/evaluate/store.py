"""The rows of results that `evaluate` writes: what there was of the same is replaced."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from charthouse.core.cohort import Cohort
from charthouse.core.warehouse import insert_columns

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Replacement:
    """Rows of one table of results, and which rows of it they are in place of."""

    table: str
    rows: Rows  # all that there should be
    same: str  # condition on the table's columns, in SQL: of the same as these rows
    parameters: Sequence[Any]


def joined(made: Iterable[Mapping[str, Rows]]) -> dict[str, Rows]:
    """Tables of results to all rows that were made for them."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for tables in made:
        for table, rows in tables.items():
            found.setdefault(table, []).extend(rows)
    return dict(found)


def replacements(tables: Mapping[str, Rows], **of: Sequence[str]) -> list[Replacement]:
    """Rows in place of all that are of the same.

    Args:
        tables: Table of results to its rows; of none, what there was goes all the same.
        of: Columns and the values by which the rows to be replaced are known: those of runs, or
            of learners, their task and cohort.
    """
    same = " and ".join(f"{column} in (select unnest(?::varchar[]))" for column in of)
    known = [list(values) for values in of.values()]
    return [Replacement(table, rows, same, known) for table, rows in tables.items()]


def comparisons(cohort: Cohort, task: str, rows: Rows) -> Replacement:
    """All comparisons of a task's arms on the present cohort, likewise."""
    same = "task = ? and run_id in (select run_id from results.runs where cohort_hash = ?)"
    return Replacement("comparisons", rows, same, [task, cohort.cohort_hash])


def write(db: duckdb.DuckDBPyConnection, of_task: Iterable[Replacement]) -> None:
    """Writes rows in place of what there was, in the caller's transaction."""
    for each in of_task:
        db.execute(f"delete from results.{each.table} where {each.same}", each.parameters)
        insert(db, f"results.{each.table}", each.rows)


def insert(db: duckdb.DuckDBPyConnection, table: str, rows: Rows) -> None:
    """Appends rows that all have the same columns."""
    if rows:
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        insert_columns(db, table, columns)

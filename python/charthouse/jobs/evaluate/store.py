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


def replacements(tables: Mapping[str, Rows], **of: Sequence[str]) -> list[Replacement]:
    """Rows in place of all whose columns `of` hold one of their values; none replace them too."""
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

"""The audit, as a terminal shows it: reports.audit does the work."""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from charthouse.cohort import read_cohort
from charthouse.errors import CharthouseError
from charthouse.progress import Say
from charthouse.warehouse import open_warehouse

STAYS_SHOWN = 20
STATES = ("failed", "warning", "by a chosen setting", "passed", "nothing to check")
"""Of a check, the gravest first; only the first fails the audit."""


def audit(warehouse: Path, say: Say) -> int:
    """Says for each check whether it passed; of the others, in which stays and what to do.

    Args:
        warehouse: the DuckDB file.
        say: told one line at a time.

    Returns:
        How many checks failed.

    Raises:
        CharthouseError: the warehouse lacks reports.audit, or is of an older clone.
    """
    with open_warehouse(warehouse) as db:
        cohort = read_cohort(db)
        say(f"{cohort.describe()} in {warehouse}")
        rows = _read(db)
    width = max(len(row[1]) for row in rows)
    for state, check, question, checked, failing, stays, stay_ids, detail, mend in rows:
        found = f"{failing} of {checked}" if failing else f"{checked} checked"
        say(f"  {state.upper() if state == 'failed' else state:<19}  {check:<{width}}  {found}")
        if failing:
            say(f"      {question} Yes: {detail}.")
        if state in ("failed", "warning"):
            if stays:
                say(f"      {_named(stay_ids, stays)}")
            say(f"      {mend}")
    counts = {state: sum(row[0] == state for row in rows) for state in STATES}
    counted = [
        f"{n} {state.upper() if state == 'failed' else state}" for state, n in counts.items() if n
    ]
    say(f"{len(rows)} checks: {', '.join(counted)}.")
    return counts["failed"]


def _read(db: duckdb.DuckDBPyConnection) -> list[tuple]:
    missing = CharthouseError(
        "The warehouse lacks reports.audit, or has an old one. Run dbt build."
    )
    # asked for first: where there is no such view, DuckDB takes the name for a Python variable
    if not db.execute(
        "select 1 from duckdb_views() where schema_name = 'reports' and view_name = 'audit'"
    ).fetchall():
        raise missing
    try:
        return db.execute(
            "select state, check_name, question, checked, failing, stays, stay_ids, detail, mend"
            " from reports.audit order by position"
        ).fetchall()
    except (duckdb.CatalogException, duckdb.BinderException):
        raise missing from None


def _named(stay_ids: Sequence[int], stays: int) -> str:
    shown = ", ".join(map(str, stay_ids[:STAYS_SHOWN]))
    more = f" and {stays - STAYS_SHOWN} more" if stays > STAYS_SHOWN else ""
    return f"{'stay' if stays == 1 else 'stays'} {shown}{more}"

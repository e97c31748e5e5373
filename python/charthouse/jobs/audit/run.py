"""`charthouse audit`: recomputes with Python, then prints reports.audit."""

from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb

from charthouse.core.cohort import Cohort, read_cohort
from charthouse.core.errors import CharthouseError
from charthouse.core.progress import PrintLine, ProgressBar
from charthouse.core.runs import Run
from charthouse.core.warehouse import open_warehouse
from charthouse.jobs.audit import evaluation, findings, metrics, scores, vectors
from charthouse.jobs.audit.findings import Finding
from charthouse.jobs.audit.replay import replay
from charthouse.jobs.audit.scratch_folder import scratch_folder

STAYS_SHOWN = 20
STATES = ("failed", "warning", "by a chosen setting", "passed", "nothing to check", "not run")
"""States of a check, the most serious first; only the first fails the audit."""


def audit(project: Path, warehouse: Path, say: PrintLine, full: ProgressBar | None = None) -> int:
    """Recomputes what the warehouse holds, keeps the findings, and prints every check.

    Where `full` shows progress, the evaluation is recomputed too. Returns how many checks failed.

    Raises:
        CharthouseError: The warehouse lacks reports.audit, or another audit of it is running.
    """
    with open_warehouse(warehouse) as db:
        cohort = read_cohort(db)
        _read(db)
    say(f"{cohort.describe()} in {warehouse}")
    recompute(project, warehouse, cohort, say, full)
    return print_checks(warehouse, say)


def recompute(
    project: Path, warehouse: Path, cohort: Cohort, say: PrintLine, full: ProgressBar | None
) -> None:
    """Runs the checks that need Python, and keeps their findings; arguments and errors of audit."""
    with Run(warehouse=warehouse, cohort=cohort, kind="audit", name="audit") as run:
        with scratch_folder(warehouse) as folder:
            made = replay(project, warehouse, cohort, folder, say)
        with open_warehouse(warehouse) as db:
            made += _found_or_why_not(vectors.READ, lambda: vectors.rehash_vectors(db))
            made += _found_or_why_not(
                scores.CHECK, lambda: [scores.recompute_scores(db, project, cohort)]
            )
            made += _found_or_why_not(
                metrics.CHECK, lambda: [metrics.recompute_metrics(db, project, cohort)]
            )
        if watch := full:
            made += _found_or_why_not(
                evaluation.CHECK,
                lambda: [evaluation.recompute_evaluation(project, warehouse, cohort, say, watch)],
            )
        with run.transaction() as db:
            findings.write_findings(db, run.run_id, made)
            run.counts = {"checks": len(made), "failed": sum(each.failed > 0 for each in made)}
            run.finish(db)


def _found_or_why_not(check: str, compute: Callable[[], Sequence[Finding]]) -> Sequence[Finding]:
    """The findings of a check; or a finding that the check cannot run on what is stored.

    It names only the class of the error: its message may contain values of the database.
    """
    try:
        return compute()
    except Exception as error:
        if "interrupt" in str(error).lower():  # Ctrl-C during a query
            raise
        return [Finding(check, 0, 1, (), f"cannot be computed again: {type(error).__name__}")]


def print_checks(warehouse: Path, say: PrintLine) -> int:
    """Prints whether each check passed, and for the others the stays and what to do.

    Returns how many failed.

    Raises:
        CharthouseError: The warehouse lacks reports.audit.
    """
    with open_warehouse(warehouse) as db:
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
    try:
        return db.execute(
            "select state, check_name, question, checked, failing, stays, stay_ids, detail, mend"
            " from reports.audit order by position"
        ).fetchall()
    except (duckdb.CatalogException, duckdb.BinderException):
        raise CharthouseError(
            "The warehouse lacks reports.audit, or a table or view under it is not as it was built."
            " Run charthouse build."
        ) from None


def _named(stay_ids: Sequence[int], stays: int) -> str:
    shown = ", ".join(map(str, stay_ids[:STAYS_SHOWN]))
    more = f" and {stays - STAYS_SHOWN} more" if stays > STAYS_SHOWN else ""
    return f"{'stay' if stays == 1 else 'stays'} {shown}{more}"

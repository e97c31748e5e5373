"""results.runs: one row per run of a job, with all that made it."""

import json
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from charthouse.core.cohort import Cohort
from charthouse.core.errors import CharthouseError
from charthouse.core.provenance import code_version, package_versions
from charthouse.core.warehouse import open_warehouse


def new_run_id(kind: str) -> str:
    """Sorts by time, and no two are the same."""
    return f"{kind}-{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"


def start_run(
    db: duckdb.DuckDBPyConnection,
    cohort: Cohort,
    *,
    run_id: str,
    kind: str,
    name: str,
    task: str | None,
    seed: int,
    settings: Mapping[str, Any],
    fingerprint: str,
    reads: Sequence[str],
    revision: str | None = None,
    device: str = "cpu",
) -> None:
    """Writes a row of results.runs, in the caller's transaction; `reads` is of Cohort.reads."""
    run = {
        "run_id": run_id,
        "kind": kind,
        "name": name,
        "task": task,
        "cohort_hash": cohort.cohort_hash,
        "reads": list(reads),
        "protocol": cohort.protocol,
        "is_synthetic": cohort.is_synthetic,
        "code_version": code_version(),
        "seed": seed,
        "settings": json.dumps(settings, sort_keys=True),
        "revision": revision,
        "fingerprint": fingerprint,
        "packages": json.dumps(package_versions(), sort_keys=True),
        "device": device,
        "started_at": _now_or_later(db, kind, name, task),
    }
    columns = ", ".join(run)
    marks = ", ".join("?" for _ in run)
    db.execute(f"insert into results.runs ({columns}) values ({marks})", list(run.values()))


def note_counts(
    db: duckdb.DuckDBPyConnection, run_id: str, counts: Mapping[str, Any], *, finished: bool
) -> None:
    """Says what the run did, and when it ended if it ended well."""
    db.execute(
        "update results.runs as run set counts = ?, finished_at = if(?, greatest("
        "now() at time zone 'UTC', started_at, (select max(finished_at) + interval 1 microsecond"
        " from results.runs as other where other.kind = run.kind and other.name = run.name"
        " and other.task is not distinct from run.task)), null) where run_id = ?",
        [json.dumps(counts, sort_keys=True), finished, run_id],
    )


def note_cut_short(warehouse: Path, run_id: str, counts: Mapping[str, Any]) -> None:
    """note_counts for a run that an exception ends, in the place where it is caught.

    Tried once: after Ctrl-C nobody waits for a lock. What fails here is not told, because the
    exception on its way is what the user should see.
    """
    with (
        suppress(CharthouseError, duckdb.Error),
        open_warehouse(warehouse, read_only=False, gives_up=lambda: True) as db,
    ):
        note_counts(db, run_id, counts, finished=False)


def _now_or_later(
    db: duckdb.DuckDBPyConnection, kind: str, name: str, task: str | None
) -> datetime:
    """Later than every such run, even one that was noted while the clock was ahead.

    The last one counts: were it never overtaken, it would lock its encoder out until the clock has
    come so far.
    """
    now = datetime.now(UTC).replace(tzinfo=None)
    ((last,),) = db.execute(
        "select max(started_at) from results.runs"
        " where kind = ? and name = ? and task is not distinct from ?",
        [kind, name, task],
    ).fetchall()
    return max(now, last + timedelta(microseconds=1)) if last else now

"""results.runs: one row per run of a job, with all that made it."""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import duckdb

from charthouse.cohort import Cohort
from charthouse.provenance import code_version, package_versions


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
    revision: str | None = None,
    device: str = "cpu",
) -> None:
    """Writes a row of results.runs, in the caller's transaction."""
    run = {
        "run_id": run_id,
        "kind": kind,
        "name": name,
        "task": task,
        "cohort_hash": cohort.cohort_hash,
        "protocol": cohort.protocol,
        "is_synthetic": cohort.is_synthetic,
        "code_version": code_version(),
        "seed": seed,
        "settings": json.dumps(settings, sort_keys=True),
        "revision": revision,
        "fingerprint": fingerprint,
        "packages": json.dumps(package_versions(), sort_keys=True),
        "device": device,
        "started_at": datetime.now(UTC).replace(tzinfo=None),
    }
    columns = ", ".join(run)
    marks = ", ".join("?" for _ in run)
    db.execute(f"insert into results.runs ({columns}) values ({marks})", list(run.values()))


def note_counts(
    db: duckdb.DuckDBPyConnection, run_id: str, counts: Mapping[str, Any], *, finished: bool
) -> None:
    """Says what the run did, and when it ended if it ended well."""
    db.execute(
        "update results.runs set counts = ?, finished_at = if(?, now() at time zone 'UTC', null)"
        " where run_id = ?",
        [json.dumps(counts, sort_keys=True), finished, run_id],
    )

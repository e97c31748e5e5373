"""results.sends: everything that leaves the machine is noted there first."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any

import duckdb

from charthouse.core.warehouse import insert_columns, open_warehouse
from charthouse.net.guard import Send
from charthouse.net.patience import nobody_waits


def log_to(warehouse: Path, run_id: str) -> Callable[[Send], None]:
    """A log for charthouse.net.guard.Guard; safe to call from several threads."""
    one_at_a_time = Lock()

    def log(send: Send) -> None:
        with (
            one_at_a_time,
            open_warehouse(warehouse, read_only=False, gives_up=nobody_waits) as db,
        ):
            db.execute(
                "insert into results.sends (run_id, sent_at, host, allowed_because, items, bytes)"
                " values (?, ?, ?, ?, ?, ?)",
                [run_id, send.at, send.host, send.allowed_because, send.items, send.bytes],
            )

    return log


def note_sends(db: duckdb.DuckDBPyConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Adds what was written down elsewhere before it left, unless it was added already.

    Args:
        db: in the caller's transaction.
        rows: all added at once, or none: the first one tells.
    """
    if not rows:
        return
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    columns["sent_at"] = [datetime.fromisoformat(at) for at in columns["sent_at"]]
    there = db.execute(
        "select 1 from results.sends where run_id = ? and sent_at = ? and host = ? and bytes = ?",
        [columns[name][0] for name in ("run_id", "sent_at", "host", "bytes")],
    ).fetchall()
    if not there:
        insert_columns(db, "results.sends", columns)

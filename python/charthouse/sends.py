"""results.sends: everything that leaves the machine is noted there first."""

from collections.abc import Callable
from pathlib import Path
from threading import Lock

from charthouse.guard import Send
from charthouse.warehouse import open_warehouse


def log_to(warehouse: Path, run_id: str) -> Callable[[Send], None]:
    """A log for charthouse.guard.Guard; safe to call from several threads."""
    one_at_a_time = Lock()

    def log(send: Send) -> None:
        with one_at_a_time, open_warehouse(warehouse, read_only=False) as db:
            db.execute(
                "insert into results.sends (run_id, sent_at, host, allowed_because, items, bytes)"
                " values (?, ?, ?, ?, ?, ?)",
                [run_id, send.at, send.host, send.allowed_because, send.items, send.bytes],
            )

    return log

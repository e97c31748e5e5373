"""What dbt-duckdb loads before it opens the warehouse (profiles/profiles.yml names it).

dbt alone would meet a locked warehouse with a traceback; this waits, says for whom, and gives up
with one line. It keeps a little of the disk back, so that a run that fills it can be undone. And it
gives SQL what it lacks to read raw files safely.
"""

import atexit
import errno
import os
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.plugins import BasePlugin

from charthouse.errors import CharthouseError
from charthouse.raw_files import BackgroundCheck, csv_header
from charthouse.warehouse import duckdb_limits, wait_for_lock

RESERVE_BYTES = 4_000_000  # many times what putting every table back writes to the log


class Plugin(BasePlugin):
    """Waits for the warehouse's lock when dbt makes its environment, and reserves disk."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Called by dbt-duckdb before it connects.

        Raises:
            RuntimeError: the lock was not let go, or the disk is full; the one class that dbt
                reports in one line.
        """
        if self.creds is not None and self.creds.path != ":memory:":
            refusal = _waited_in_vain(self.creds.path) or _reserve_disk(
                Path(f"{self.creds.path}.reserve")
            )
            if refusal:
                raise RuntimeError(refusal)

    def update_connection_config(self, creds: DuckDBCredentials, config: dict[str, Any]) -> None:
        """CHARTHOUSE_THREADS bounds DuckDB's threads; a profile cannot say "else every core"."""
        try:
            limits = duckdb_limits()
        except CharthouseError as error:
            raise RuntimeError(str(error)) from None
        if "threads" in limits:
            config["threads"] = limits["threads"]

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Gives macros/raw_files.sql and raw_copy.sql what SQL cannot do, as functions of a path.

        csv_header: the names of the columns, none if it cannot be read. start_gzip_check begins;
        gzip_fault waits and says what is wrong, or ''.
        """
        checks: dict[str, BackgroundCheck] = {}

        def start_gzip_check(path: str) -> bool:
            checks[path] = BackgroundCheck(Path(path))
            return True

        def gzip_fault(path: str) -> str:
            return checks.pop(path).result() or ""

        def header(path: str) -> list[str]:
            try:
                return csv_header(Path(path))
            except (OSError, EOFError, zlib.error):
                return []

        text, texts = duckdb.sqltypes.VARCHAR, duckdb.list_type(duckdb.sqltypes.VARCHAR)
        conn.create_function("csv_header", header, [text], texts, side_effects=True)
        conn.create_function("start_gzip_check", start_gzip_check, side_effects=True)
        conn.create_function("gzip_fault", gzip_fault, side_effects=True)


@cache  # dbt tries several times; one wait, one message
def _waited_in_vain(path: str) -> str | None:
    try:
        wait_for_lock(Path(path))
    except CharthouseError as error:
        return str(error)
    return None


@cache
def _reserve_disk(path: Path) -> str | None:
    """Holds a file until this process ends; release_reserve() in macros/ empties it in need.

    Returns:
        Why it cannot, if the disk is too full: what a build did could not be undone.
    """
    atexit.register(path.unlink, missing_ok=True)
    try:
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
    except OSError as error:
        path.unlink(missing_ok=True)
        if error.errno == errno.ENOSPC:
            return (
                f"{path.parent} has less than {RESERVE_BYTES / 1e6:.0f} MB free. Free space on the"
                " disk of the warehouse, or set CHARTHOUSE_WAREHOUSE to another."
            )
    return None

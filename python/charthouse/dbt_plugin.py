"""What dbt-duckdb loads before it opens the warehouse (profiles/profiles.yml names it).

dbt alone would meet a locked warehouse with a traceback; this waits, says for whom, and gives up
with one line. It keeps a little of the disk back, so that a run that fills it can be undone. And it
attaches the raw files, which SQL alone could not read safely.
"""

import atexit
import errno
import os
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.flags import get_flags

from charthouse.dbt_private import begin, call_database
from charthouse.errors import CharthouseError
from charthouse.project import raw_tables
from charthouse.raw.database import RawDatabase
from charthouse.warehouse import duckdb_config, wait_for_lock

RESERVE_BYTES = 4_000_000  # many times what putting every table back writes to the log


class Plugin(BasePlugin):
    """Waits for the warehouse's lock when dbt makes its environment, and reserves disk."""

    _renamed = False  # whether the warehouse is a link of another name

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Called by dbt-duckdb before it connects.

        Raises:
            RuntimeError: the path makes no sense, the lock was not let go, or the disk is full; the
                one class that dbt reports in one line.
        """
        if self.creds is not None:
            path = self.creds.path
            refusal = (
                _refused(path) or _waited_in_vain(path) or _reserve_disk(Path(f"{path}.reserve"))
            )
            if refusal:
                raise RuntimeError(refusal)

    def update_connection_config(self, creds: DuckDBCredentials, config: dict[str, Any]) -> None:
        """No door of DuckDB's own, and the threads of CHARTHOUSE_THREADS, whatever the profile."""
        try:
            config.update(duckdb_config())
        except CharthouseError as error:
            raise RuntimeError(str(error)) from None

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Attaches the raw files, and gives SQL what macros ask of them."""
        if self.creds is not None:
            self._renamed = call_database(conn, self.creds.path, self.creds.database)
        self._raw.attach(conn)

    def configure_cursor(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Each can read the raw files, and of a link begins at the name that dbt knows."""
        if self._renamed and self.creds is not None:
            cursor.execute(f'use "{self.creds.database}"')
        self._raw.register(cursor)

    @cached_property
    def _raw(self) -> RawDatabase:
        return RawDatabase(raw_tables(Path(get_flags().PROJECT_DIR)))


@cache
def _refused(path: str) -> str | None:
    try:
        begin(path)
    except CharthouseError as error:
        return str(error)
    return None


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

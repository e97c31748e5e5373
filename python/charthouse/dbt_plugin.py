"""What dbt-duckdb loads before it opens the warehouse (profiles/profiles.yml names it).

dbt alone would meet a locked warehouse with a traceback; this waits, says for whom, and gives up
with one line. It keeps a little of the disk back, so that a run that fills it can be undone. And it
gives SQL what it lacks to read raw files safely.
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
from duckdb.func import SPECIAL

from charthouse.dbt_private import begin, call_database
from charthouse.errors import CharthouseError
from charthouse.project import raw_tables
from charthouse.raw.stream import RawStream
from charthouse.synthetic_marker import has_marker, why_not_synthetic
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
        """Gives macros/raw_files.sql and raw_copy.sql what SQL cannot do, as functions.

        open_raw(table, path): the next scan of raw__<table> reads that file; '' for no rows.
        raw_refusal(table): why that scan does not count, or ''.
        raw_sha256(table): in hex, of the file that this scan has read; '' where it does not count.
        why_not_synthetic(folder, path, sha256): of a table as read; null where it is synthetic,
        '' where nothing says that it were.
        """
        if self.creds is not None:
            self._renamed = call_database(conn, self.creds.path, self.creds.database)

        def open_raw(table: str, path: str) -> bool:
            self._streams[table].open(Path(path) if path else None)
            return True

        def raw_refusal(table: str) -> str:
            return self._streams[table].refusal() or ""

        def raw_sha256(table: str) -> str:
            return self._streams[table].sha256() or ""

        def not_synthetic(root: str, path: str, sha256: str) -> str | None:
            if not has_marker(Path(root)):
                return ""
            name = Path(path).relative_to(root).as_posix()
            return why_not_synthetic(Path(root), {name: sha256})

        conn.create_function("open_raw", open_raw, side_effects=True)
        conn.create_function("raw_refusal", raw_refusal, side_effects=True)
        conn.create_function("raw_sha256", raw_sha256, side_effects=True)
        conn.create_function(
            "why_not_synthetic", not_synthetic, side_effects=True, null_handling=SPECIAL
        )

    def configure_cursor(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Each declared raw table can be selected from, as raw__<source>__<table>.

        Of a link each begins at the name that dbt knows.
        """
        if self._renamed and self.creds is not None:
            cursor.execute(f'use "{self.creds.database}"')
        for table, stream in self._streams.items():
            cursor.register(f"raw__{table}", stream)

    @cached_property
    def _streams(self) -> dict[str, RawStream]:
        project = Path(get_flags().PROJECT_DIR)
        return {table.relation: RawStream(table.columns) for table in raw_tables(project)}


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

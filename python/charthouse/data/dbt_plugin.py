"""The plugin that dbt-duckdb loads before it opens the warehouse (see profiles/profiles.yml).

A dbt command that writes works on a copy beside the warehouse (atomic_build.py), which replaces the
warehouse when dbt reports success. On a locked warehouse, dbt alone would stop with a traceback.
The plugin waits, names the process that holds the lock, and gives up with one line. It also
attaches the raw files, which SQL alone could not read safely.
"""

import sys
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.cli.exceptions import ExceptionExit
from dbt.flags import get_flags
from dbt_common.events.event_manager_client import add_callback_to_manager
from dbt_common.invocation import get_invocation_id
from duckdb.func import SPECIAL

from charthouse.core.errors import CharthouseError
from charthouse.core.project import raw_tables
from charthouse.core.warehouse import duckdb_config, open_warehouse, text_literal
from charthouse.data.atomic_build import KEPT_RAW_COPIES, AtomicBuild
from charthouse.data.build_summary import BuildSummary
from charthouse.data.dbt_privacy import attach_read_only, protect, rename_database
from charthouse.data.raw.database import RawDatabase

WRITING_COMMANDS = ("build", "run", "seed", "snapshot", "run-operation", "clone")


class Plugin(BasePlugin):
    """Directs dbt to the file that it works on, when dbt-duckdb sets up its connection."""

    _path: str  # of the warehouse, as the user calls it
    _build: AtomicBuild | None
    _renamed = False  # whether the warehouse is a link of another name

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Checks the path. dbt-duckdb calls this before it connects.

        Raises:
            RuntimeError: The path is not valid. dbt reports only this class in one line.
        """
        if self.creds is not None:
            self._path = self.creds.path
            if refusal := _refused(self._path):
                raise RuntimeError(refusal)

    def update_connection_config(self, creds: DuckDBCredentials, config: dict[str, Any]) -> None:
        """Disables DuckDB's extensions and sets its memory and threads, whatever the profile says.

        This is the last hook before dbt-duckdb connects. configure_connection is the first after
        it, and restores the path that the user gave.

        Raises:
            RuntimeError: The lock was not released, the disk is full, or the build cannot start for
                another reason.
        """
        try:
            config.update(duckdb_config())
        except CharthouseError as error:
            raise RuntimeError(str(error)) from None
        if self.creds is None:
            return
        begun = _begun(self._path, get_invocation_id())
        if isinstance(begun, str):
            raise RuntimeError(begun)
        self._build = begun
        # of what is only read nothing is opened yet: dbt-duckdb would open it for writing
        creds.path = ":memory:" if begun is None else str(begun.file)

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Attaches the raw files, and creates the SQL functions that macros call.

        standing_data_kind(): kind of data in the warehouse that the build would replace; null where
        there is none.
        """
        if self.creds is not None:
            name = self.creds.database
            if self._build is None:
                attach_read_only(conn, self._path, name)
                self._renamed = True
            else:
                self._renamed = rename_database(conn, self.creds.path, name)
            self.creds.path = self._path
        self._raw.attach(conn)
        if self._build is not None and self._build.raw_copies.exists():
            conn.execute(
                f'attach {text_literal(self._build.raw_copies)} as "{KEPT_RAW_COPIES}" (read_only)'
            )

        def standing_data_kind() -> str | None:
            return self._build.data_kind() if self._build is not None else None

        conn.create_function(
            "standing_data_kind", standing_data_kind, side_effects=True, null_handling=SPECIAL
        )

    def configure_cursor(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Registers the raw files on each cursor, and selects the database that dbt knows."""
        if self._renamed and self.creds is not None:
            cursor.execute(f'use "{self.creds.database}"')
        self._raw.register(cursor)

    @cached_property
    def _raw(self) -> RawDatabase:
        return RawDatabase(raw_tables(Path(get_flags().PROJECT_DIR)))


@cache
def _refused(path: str) -> str | None:
    try:
        protect(path)
    except CharthouseError as error:
        return str(error)
    return None


@cache  # dbt tries several times; one wait, one message
def _begun(path: str, invocation: str) -> AtomicBuild | str | None:
    """The build of this command of dbt, if it is one; or why it cannot begin."""
    commands = (word for word in sys.argv[1:] if word in (*WRITING_COMMANDS, "retry"))
    if next(commands, None) == "retry":  # its flags are those of the run that it repeats
        return (
            "dbt retry: the previous run's tables are gone, and in the current warehouse it would"
            " test other rows. Run dbt build."
        )
    writes = get_flags().WHICH in WRITING_COMMANDS or getattr(get_flags(), "STORE_FAILURES", False)
    summary = BuildSummary()
    build = None
    try:
        if writes or not Path(path).exists():
            build = AtomicBuild(Path(path))
        else:
            with open_warehouse(Path(path)):  # waits for a writer
                pass
    except CharthouseError as error:
        return str(error)

    def finish(event: Any) -> None:
        """Called with each event of dbt: the last one says whether all went well."""
        summary.on_event(event)
        if event.info.name != "CommandCompleted":
            return
        DuckDBConnectionManager.env().close()
        if build is not None and not (writes and event.data.success):
            build.end()
        elif build is not None:
            try:
                build.replace_warehouse()
            except CharthouseError as error:
                print(error, flush=True)  # dbt prints no more
                raise ExceptionExit(error) from None
        summary.emit()

    add_callback_to_manager(finish)
    return build

"""Keeps a plain `dbt build` private: its error messages and its files.

dbt_plugin.py calls this before dbt-duckdb opens the warehouse. By then dbt has opened its log and
parsed the project, under the umask of the shell.
"""

import logging
import os
from collections.abc import Callable, Sequence
from functools import partial
from glob import escape
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.environments import local
from dbt.adapters.factory import get_adapter_by_type
from dbt_common.events.event_manager_client import get_event_manager

from charthouse.core.duckdb_errors import redact_errors
from charthouse.core.local_paths import RAW_FOLDERS, require_local, require_warehouse_path
from charthouse.core.warehouse import make_owner_only, text_literal

_TARGET = ("manifest.json", "semantic_manifest.json", "run_results.json", "sources.json",
           "catalog.json", "graph_summary.json", "graph.gpickle", "partial_parse.msgpack",
           "compiled", "run")  # fmt: skip
"""What dbt writes to target/."""


class RedactingCursor(local.DuckDBCursorWrapper):
    """A cursor between dbt and DuckDB that keeps values out of dbt's output, log and target/."""

    def execute(self, sql: str, bindings: Sequence[Any] | None = None) -> Any:
        """Runs a statement, like dbt-duckdb's cursor."""
        with redact_errors():
            return super().execute(sql, bindings)

    def fetchall(self) -> list[tuple]:
        """Fetches all rows. They are computed as they are fetched, and may fail then."""
        with redact_errors():
            return self._cursor.fetchall()

    def fetchmany(self, size: int) -> list[tuple]:
        """Fetches some rows."""
        with redact_errors():
            return self._cursor.fetchmany(size)

    def fetchone(self) -> tuple | None:
        """Fetches one row."""
        with redact_errors():
            return self._cursor.fetchone()


def protect(warehouse: str) -> None:
    """Applies all of it to a dbt run; a second call changes nothing.

    Raises:
        CharthouseError: The warehouse or a raw folder is not a local path.
    """
    require_warehouse_path(warehouse)
    require_warehouse_path(os.path.realpath(warehouse))  # what a link leads to
    for variable in RAW_FOLDERS:
        require_local(variable, os.environ.get(variable, ""))
    os.umask(0o077)
    for logger in get_event_manager().loggers:
        if logger.name == "file_log":  # `dbt show` prints rows, and would keep them in its log
            logger.filter = partial(_is_no_row, logger.filter)
    # dbt-duckdb has no hook for it; it makes one for each handle
    local.DuckDBCursorWrapper = RedactingCursor  # type: ignore[misc]
    _close_files_of_dbt()


def rename_database(connection: duckdb.DuckDBPyConnection, path: str, name: str) -> bool:
    """Gives the database the name that dbt uses: DuckDB names a link after the file it leads to.

    Returns:
        Whether it had another name: then each cursor must `use` the new one.
    """
    ((called,),) = connection.execute("select current_database()").fetchall()
    if called == name:
        return False
    _call(connection, called, f'attach {text_literal(path)} as "{name}"', name)
    return True


def attach_read_only(connection: duckdb.DuckDBPyConnection, path: str, name: str) -> None:
    """Attaches the database read-only to an empty connection, so that others can read it too.

    Each cursor must `use` it.
    """
    _call(connection, "memory", f'attach {text_literal(path)} as "{name}" (read_only)', name)


def _call(connection: duckdb.DuckDBPyConnection, called: str, attach: str, name: str) -> None:
    nothing = '"no/thing"'  # no file is called so
    connection.execute(f"attach ':memory:' as {nothing}; use {nothing}")
    connection.execute(f'detach "{called}"')
    connection.execute(f'{attach}; use "{name}"')


def _is_no_row(is_logged: Callable[[Any], bool], event: Any) -> bool:
    return event.info.name != "ShowNode" and is_logged(event)


def _close_files_of_dbt() -> None:
    """logs/ and target/, and what this run and earlier ones have written there.

    A folder that is not of the project is left open, since it may be anybody's: /tmp, say.
    """
    config = get_adapter_by_type("duckdb").config
    if not hasattr(config, "project_target_path"):  # `dbt debug` knows no project
        return
    target = Path(config.project_target_path)
    logs = [
        Path(handler.baseFilename)
        for handler in logging.getLogger("file_log").handlers
        if isinstance(handler, logging.FileHandler)
    ]
    for folder in {target, *(log.parent for log in logs)}:
        if Path(config.project_root).resolve() in folder.resolve().parents:
            make_owner_only(folder)
    # dbt.log.1 and so on, too
    with_older = (path for log in logs for path in log.parent.glob(f"{escape(log.name)}*"))
    for path in (*(target / name for name in _TARGET), *with_older):
        make_owner_only(path)

"""The only module that opens DuckDB: the warehouse, a copy of it, or a database in memory."""

import os
import re
import shlex
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from glob import escape
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import numpy as np
import pyarrow as pa

from charthouse.core.duckdb_errors import redact_errors, redacted_message
from charthouse.core.errors import CharthouseError
from charthouse.core.local_paths import SCHEMAS, require_warehouse_path

DEFAULT_WAREHOUSE = "warehouse.duckdb"  # profiles/profiles.yml has the same default
DEFAULT_LOCK_SECONDS = 60.0
DEFAULT_MEMORY = "1500MB"  # there too
LEAST_MEMORY, MOST_MEMORY = 100e6, 1e18  # bytes; with less DuckDB builds nothing
MOST_THREADS = 1024

WAREHOUSE_VERSION = 4
"""Raised with every change that makes jobs fail, or misread, what an earlier build has left."""

NO_EXTENSIONS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "python_enable_replacements": False,  # or a table that is not there is sought in our variables
}
"""DuckDB loads no extension by itself, so it reads files alone (the same in profiles.yml)."""

# What DuckDB says, of whichever class its error is: it has no class of its own for either.
_DAMAGED = ("Corrupt database file", "not a valid DuckDB", "Could not read enough bytes")
_NO_ROOM = ("No space left", "max_temp_directory_size")
_VERSION = "main.warehouse_version"
_UNWRITTEN = (duckdb.IOException, duckdb.FatalException, duckdb.TransactionException)

_BESIDE = (".wal", ".wal.*", ".tmp", ".*.outbox*", ".*.journal", ".*.unreadable*", ".audit")

T = TypeVar("T")

WriteError = Callable[[str], CharthouseError]
"""What to say of a file that cannot be written, for a reason."""


class LockHeldError(Exception):
    """Another process holds the lock; the message names it."""


def warehouse_path() -> Path:
    """The warehouse's file: CHARTHOUSE_WAREHOUSE, or warehouse.duckdb in the current folder.

    A symbolic link is resolved, so that files beside the warehouse have one place.

    Raises:
        CharthouseError: The path is not local, or not a name that DuckDB can use.

    Example:
        >>> import os
        >>> warehouse_path().name == os.path.basename(os.environ["CHARTHOUSE_WAREHOUSE"])
        True
    """
    named = os.environ.get("CHARTHOUSE_WAREHOUSE") or DEFAULT_WAREHOUSE
    require_warehouse_path(named)
    path = Path(named)
    return Path(os.path.realpath(path)) if path.is_symlink() else path


@contextmanager
def in_memory_database() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory, to read files outside of the warehouse."""
    with redact_errors(), _closed_after(duckdb.connect(config=duckdb_config())) as connection:
        yield connection


@contextmanager
def open_warehouse(
    path: Path,
    *,
    read_only: bool = True,
    stop_waiting: Callable[[], bool] = lambda: False,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Opens the warehouse. Keep it open briefly: meanwhile no other process can write to it.

    If another process holds the lock, it prints a line and waits; CHARTHOUSE_LOCK_SECONDS bounds
    the wait.

    Args:
        path: The DuckDB file.
        read_only: Whether others may read meanwhile.
        stop_waiting: Called repeatedly while the lock is held; True ends the wait.

    Raises:
        CharthouseError: There is no such warehouse, it may not be opened, the lock was not released
            in time, it is of another version, it is damaged, or the disk is full. What was not
            committed is rolled back.

    Example:
        >>> with open_warehouse(warehouse_path()) as db:
        ...     attrition = db.execute("select stays from marts.cohort_attrition order by step")
        ...     attrition.fetchall()[0]
        (300,)
    """
    if read_only:
        _require_file(path)
    opened = _connect(path, read_only=read_only, stop_waiting=stop_waiting)
    with (
        redact_errors(),
        _faults_told(path, partial(_unwritten, path)),
        _closed_after(opened) as connection,
    ):
        _require_version(connection, path)
        yield connection


@contextmanager
def open_copy(
    warehouse: Path, copy: Path, unwritten: WriteError
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Creates a new database with the warehouse attached to it, read-only, as `source`.

    Names without a database refer to the warehouse until `detach source`. DuckDB 1.2 and later can
    open the new file. `unwritten` makes the error for a copy that cannot be written, from the
    reason.

    Raises:
        CharthouseError: As for open_warehouse.
    """
    _require_file(warehouse)
    config = duckdb_config() | {"storage_compatibility_version": "v1.2.0"}
    attach = f"attach {text_literal(warehouse)} as source (read_only)"
    with (
        redact_errors(),
        _faults_told(warehouse, unwritten),
        _closed_after(duckdb.connect(str(copy), config=config)) as connection,
    ):
        write_version(connection)
        retry_while_locked(warehouse, lambda: connection.execute(attach))
        connection.execute("use source")
        _require_version(connection, warehouse)
        yield connection


@contextmanager
def _closed_after(connection: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    try:
        yield connection
    except (RuntimeError, duckdb.Error) as error:
        # what DuckDB makes of Ctrl-C during a query; any other of its errors may quote the word
        if isinstance(error, duckdb.InterruptException) or str(error) == "Query interrupted":
            raise KeyboardInterrupt from None
        raise
    finally:
        connection.close()


@contextmanager
def _faults_told(path: Path, unwritten: WriteError) -> Iterator[None]:
    """Turns DuckDB's errors for a full disk or a damaged file into one line, for every command."""
    try:
        yield
    except duckdb.Error as error:
        if fault := _fault(error, path, unwritten):
            raise fault from None
        if isinstance(error, _UNWRITTEN):
            raise unwritten(_reason(error)) from None
        raise


def _fault(error: duckdb.Error, path: Path, unwritten: WriteError) -> CharthouseError | None:
    words = str(error)
    if any(mark in words for mark in _DAMAGED):
        return CharthouseError(
            f"{path}: is damaged, or no warehouse. Put a copy of it in its place, or move it away"
            " and make another: charthouse build."
        )
    if any(mark in words for mark in _NO_ROOM):
        return unwritten("no space left on its disk")
    if isinstance(error, duckdb.OutOfMemoryException):
        return CharthouseError(
            f"{path}: DuckDB has too little memory ({_reason(error)}). Raise CHARTHOUSE_MEMORY,"
            " then run again: what is finished is kept."
        )
    return None


def _unwritten(path: Path, reason: str) -> CharthouseError:
    return CharthouseError(
        f"{path}: cannot be written ({reason}). Free space there, then run again: what is finished"
        " is kept."
    )


def _require_file(path: Path) -> None:
    if not path.exists():
        raise CharthouseError(
            f"{path}: no such warehouse. Make it: charthouse build (or make demo)."
        )


def write_version(db: duckdb.DuckDBPyConnection) -> None:
    """Writes the warehouse's version into the database."""
    db.execute(f"create or replace table {_VERSION} as select {WAREHOUSE_VERSION} as version")
    db.execute(
        f"comment on table {_VERSION} is 'The version of the tables: Charthouse opens no other.'"
    )


def _require_version(db: duckdb.DuckDBPyConnection, path: Path) -> None:
    if db.execute(
        "select 1 from duckdb_tables() where database_name = current_database()"
        f" and schema_name || '.' || table_name = '{_VERSION}'"
    ).fetchall():
        ((version,),) = db.execute(f"select version from {_VERSION}").fetchall()
    else:
        # a new one, or of somebody else's tables alone, is of any
        ((is_ours,),) = db.execute(
            "select count(*) > 0 from duckdb_tables() where database_name = current_database()"
            " and list_contains(?, schema_name)",
            [list(SCHEMAS)],
        ).fetchall()
        version = 1 if is_ours else WAREHOUSE_VERSION
    if version < WAREHOUSE_VERSION:
        raise CharthouseError(
            f"{path}: an earlier Charthouse has built it (version {version} of the warehouse, and"
            f" this one needs {WAREHOUSE_VERSION}). Move it away and build anew (charthouse build)."
            f" If you need its results, export them first: {_export(path)}"
        )
    if version > WAREHOUSE_VERSION:
        raise CharthouseError(
            f"{path}: a later Charthouse has built it (version {version} of the warehouse, and this"
            f" one knows {WAREHOUSE_VERSION}). Update Charthouse, or name another"
            " CHARTHOUSE_WAREHOUSE."
        )


def _export(path: Path) -> str:
    """A command that exports every table as Parquet to a folder beside the warehouse."""
    export = f"export database {text_literal(f'{path}.exported')} (format parquet)"
    code = (
        "import duckdb, os; os.umask(0o077);"
        f" duckdb.connect({str(path)!r}, read_only=True).execute({export!r})"
    )
    return f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}"


def insert_columns(
    db: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, Sequence[Any] | np.ndarray]
) -> None:
    """Appends rows, given by column. Columns of the table that are not named become null.

    The table is named with its schema; the columns are all of the same length [n].
    """
    if not len(next(iter(columns.values()))):
        return
    db.register("batch", pa.table({name: pa.array(values) for name, values in columns.items()}))
    db.execute(f"insert into {table} by name select * from batch")
    db.unregister("batch")


def restrict_permissions(warehouse: Path) -> None:
    """Removes other users' access to the files beside the warehouse that hold its rows.

    New files are covered by the umask, which the command line and dbt's plugin set. This covers
    what an earlier version, or another program, has left.
    """
    file = Path(os.path.realpath(warehouse))
    for ending in _BESIDE:
        for path in file.parent.glob(escape(file.name) + ending):
            make_owner_only(path)


def make_owner_only(path: Path) -> None:
    """Removes other users' access to a file or folder, if it exists and is ours."""
    with suppress(OSError):  # not there, or another's, who may have opened it to us
        mode = path.lstat().st_mode
        if not stat.S_ISLNK(mode) and mode & 0o077:
            path.chmod(stat.S_IMODE(mode) & 0o700)


def text_literal(text: object) -> str:
    """Text as an SQL literal, for statements that take no parameters.

    Example:
        >>> text_literal("O'Hara")
        "'O''Hara'"
    """
    return "'" + str(text).replace("'", "''") + "'"


def wait_for_lock(path: Path) -> None:
    """Returns once the warehouse can be written to; CHARTHOUSE_LOCK_SECONDS bounds the wait.

    Raises:
        CharthouseError: The lock was not released in time, or the file cannot be opened at all.
    """
    with open_warehouse(path, read_only=False):
        pass


def _connect(
    path: Path, *, read_only: bool, stop_waiting: Callable[[], bool] = lambda: False
) -> duckdb.DuckDBPyConnection:
    require_warehouse_path(path)
    restrict_permissions(path)
    config = duckdb_config()

    def opened() -> duckdb.DuckDBPyConnection:
        while True:
            before = file_id(path)
            connection = duckdb.connect(str(path), read_only=read_only, config=config)
            if read_only or before in (None, file_id(path)):
                return connection
            connection.close()  # a build has put another file there before we had its lock

    return retry_while_locked(path, opened, stop_waiting)


def file_id(path: Path | int) -> tuple[int, int] | None:
    """Device and inode of a path or descriptor, whatever its name; None where there is no file."""
    with suppress(FileNotFoundError):
        found = os.stat(path)
        return found.st_dev, found.st_ino
    return None


def retry_while_locked(
    path: Path, opened: Callable[[], T], stop_waiting: Callable[[], bool] = lambda: False
) -> T:
    """Calls a function until no other process holds the lock.

    CHARTHOUSE_LOCK_SECONDS bounds the wait.

    Args:
        path: The warehouse.
        opened: Takes the lock. Raises LockHeldError, or DuckDB's error, while another has it.
        stop_waiting: Called repeatedly; True ends the wait.

    Raises:
        CharthouseError: The lock was not released in time, or the file cannot be opened at all.
    """
    seconds = os.environ.get("CHARTHOUSE_LOCK_SECONDS") or str(DEFAULT_LOCK_SECONDS)
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", seconds):
        raise CharthouseError(f"CHARTHOUSE_LOCK_SECONDS: '{seconds}' is not a number of seconds.")
    deadline = time.monotonic() + float(seconds)
    printed = False
    while True:
        try:
            return opened()
        except LockHeldError as held:
            holder = str(held)
        except duckdb.Error as error:
            if "Could not set lock" not in str(error):
                raise _fault(error, path, partial(_unwritten, path)) or cannot_be_opened(
                    path, _reason(error)
                ) from error
            holder = _lock_holder(error)
        if time.monotonic() >= deadline or stop_waiting():
            raise CharthouseError(
                f"{path} is in use by {holder}. Wait for it or end it, then run again."
            )
        if not printed:
            print(f"{path} is in use by {holder}: waiting for it.", file=sys.stderr, flush=True)
            printed = True
        time.sleep(0.1)


def cannot_be_opened(path: Path, reason: str) -> CharthouseError:
    """The error for a warehouse that cannot be opened."""
    return CharthouseError(
        f"{path}: cannot be opened ({reason}). Correct CHARTHOUSE_WAREHOUSE, or the rights of the"
        " folder."
    )


def duckdb_config() -> dict[str, str | bool | int | float | list[str]]:
    """DuckDB's settings: no extensions, and CHARTHOUSE_MEMORY and CHARTHOUSE_THREADS.

    Raises:
        CharthouseError: A variable is not a valid size or number.

    Example:
        >>> duckdb_config()["autoload_known_extensions"]
        False
    """
    memory = os.environ.get("CHARTHOUSE_MEMORY") or DEFAULT_MEMORY
    size = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([KMGT])(i?)B", memory, flags=re.IGNORECASE)
    if not size:
        raise CharthouseError(f"CHARTHOUSE_MEMORY: '{memory}' is no size such as 1500MB or 4GB.")
    unit = (1024 if size[3] else 1000) ** ("KMGT".index(size[2].upper()) + 1)
    if not LEAST_MEMORY <= float(size[1]) * unit <= MOST_MEMORY:
        raise CharthouseError(
            f"CHARTHOUSE_MEMORY: '{memory}' is not between {LEAST_MEMORY / 1e6:.0f}MB and"
            f" {MOST_MEMORY / 1e12:.0f}TB."
        )
    config = NO_EXTENSIONS | {"memory_limit": memory}
    if threads := os.environ.get("CHARTHOUSE_THREADS"):
        if not re.fullmatch("[0-9]{1,9}", threads) or not 1 <= int(threads) <= MOST_THREADS:
            raise CharthouseError(
                f"CHARTHOUSE_THREADS: '{threads}' is not a number of threads from 1 to"
                f" {MOST_THREADS}."
            )
        config["threads"] = int(threads)
    return config


def _lock_holder(error: Exception) -> str:
    found = re.search(r"held in (\S+) \(PID (\d+)\)", str(error))
    return f"{Path(found[1]).name}, process {found[2]}" if found else "another process"


def _reason(error: duckdb.Error) -> str:
    return redacted_message(error).splitlines()[0].rsplit(": ", maxsplit=1)[-1].rstrip(".")

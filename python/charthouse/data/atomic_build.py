"""Atomic builds: dbt works on a copy of the warehouse, which replaces it once all has succeeded.

Readers keep the old warehouse meanwhile. A build that fails or is killed leaves the warehouse
unchanged, byte by byte. Beside `w.duckdb` a folder `.w.duckdb.building`, readable by its owner
only, holds the file that is being built, the lock that excludes other builds, and raw tables that
earlier failed builds have read.

The old warehouse is held open like any reader's, so no process can write to it. Closing any
descriptor of the file would release that lock, so the descriptor that is copied from stays open.
"""

import errno
import fcntl
import os
import shutil
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

import duckdb

from charthouse.core.errors import CharthouseError
from charthouse.core.warehouse import (
    LockHeldError,
    cannot_be_opened,
    file_id,
    in_memory_database,
    make_owner_only,
    open_warehouse,
    retry_while_locked,
    text_literal,
    wait_for_lock,
    write_version,
)

KEPT_RAW_COPIES = "raw copies/kept"
"""The name by which a build sees raw copies of builds before it that did not end well.

No file is called so: each database has the name of its file.
"""

_STORED_FAILURES = "dbt_test__audit"  # the schema of `dbt build --store-failures`
_FICLONE = 0x40049409  # of Linux: shares the blocks of a file where the disk can (btrfs, XFS)
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_CHUNK = 2**20  # bytes: in the cache of a processor


def build_file(warehouse: Path) -> Path:
    """The file that a build of this warehouse works on, beside the warehouse (links resolved)."""
    warehouse = Path(os.path.realpath(warehouse))
    return warehouse.with_name(f".{warehouse.name}.building") / warehouse.name


class AtomicBuild:
    """One build, from the copy to the rename.

    Attributes:
        file: The file that is being built.
        raw_copies: A database with raw tables that earlier failed builds have read, if any.
    """

    def __init__(self, warehouse: Path) -> None:
        """Waits until no process writes and no other build runs, then copies the warehouse.

        It need not exist yet; links are resolved.

        Raises:
            CharthouseError: A lock was not released in time, the warehouse is damaged, of another
                version or not writable, or the disk is full.
        """
        self._warehouse = Path(os.path.realpath(warehouse))
        self.file = build_file(warehouse)
        self._folder = self.file.parent
        # a warehouse may itself be called lock or kept
        self.raw_copies, self._lock = (
            self.file.with_name(f"{self.file.name}{ending}") for ending in (".kept", ".lock")
        )
        self._log = self._warehouse.with_name(f"{self._warehouse.name}.wal")
        self._standing: duckdb.DuckDBPyConnection | None = None
        self._copied: os.stat_result | None = None
        self._holding = ExitStack()
        try:
            self._holding.callback(os.close, retry_while_locked(self._warehouse, self._locked))
            try:
                self._begin()
            except BaseException:
                self.end()
                raise
        except OSError as error:
            raise cannot_be_opened(self._warehouse, str(error.strerror or error)) from None

    def data_kind(self) -> str | None:
        """The kind of data in the current warehouse; None where it does not say."""
        with suppress(duckdb.CatalogException):
            if self._standing is not None:
                found = self._standing.execute("select data_kind from marts.cohort_definition")
                return next((kind for (kind,) in found.fetchall()), None)
        return None

    def replace_warehouse(self) -> None:
        """Puts the finished file in the warehouse's place, then ends. No other process has it open.

        Raises:
            CharthouseError: The disk is full, or another program has put a file there in the
                meantime. The warehouse is then unchanged.
        """
        placed = False
        try:
            with open_warehouse(self.file, read_only=False) as db:
                tables = db.execute("select 1 from duckdb_tables() limit 2").fetchall()
                db.execute("checkpoint")
            if len(tables) > 1 or self._standing is not None:  # one says the version
                self._require_unmoved()
                _sync(self.file)
                os.replace(self.file, self._warehouse)
                placed = True
                with suppress(OSError):  # not every disk does it for a folder
                    _sync(self._warehouse.parent)
        except OSError as error:
            raise CharthouseError(
                f"{self._warehouse}: what was built cannot take its place"
                f" ({error.strerror or error}). Correct the rights of the folder, then build again."
            ) from None
        finally:
            self.end(placed=placed)

    def end(self, *, placed: bool = False) -> None:
        """Releases the warehouse. Of an unfinished build it keeps what the next build can use."""
        try:
            if placed or not self._is_of_use():
                _remove(self.file)
            if placed:
                _remove(self.raw_copies)
            if not self.file.exists() and not self.raw_copies.exists():
                self._lock.unlink()
                self._folder.rmdir()
        except OSError:
            pass  # the folder stays where a build that waits, or somebody else, has a file in it
        finally:
            self._holding.close()

    def _locked(self) -> int:
        """Takes the lock of builds; returns its descriptor."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        if self._folder.is_symlink() or os.geteuid() not in (0, self._folder.stat().st_uid):
            raise CharthouseError(f"{self._folder} is not yours. Remove it, then build again.")
        make_owner_only(self._folder)
        try:
            lock = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:  # a build that ended has taken the folder away
            raise LockHeldError("another build") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(lock, 999).decode()
            os.close(lock)
            raise LockHeldError(holder or "another build") from None
        if file_id(self._lock) != file_id(lock):  # likewise, after we had opened it
            os.close(lock)
            raise LockHeldError("another build")
        os.ftruncate(lock, 0)
        os.write(lock, f"{Path(sys.executable).resolve().name}, process {os.getpid()}".encode())
        return lock

    def _begin(self) -> None:
        if not self._warehouse.exists():
            self._require_unmoved()
            self._keep_raw_copies_alone()
        else:
            if self._log.exists():
                wait_for_lock(self._warehouse)  # what a job that was killed has committed, too
            self._standing = self._holding.enter_context(open_warehouse(self._warehouse))
            if not os.access(self._warehouse, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            self._move_raw_copies()
            source = os.open(self._warehouse, os.O_RDONLY)
            self._holding.callback(os.close, source)
            self._copied = os.fstat(source)
            self._copy(source)
        with open_warehouse(self.file, read_only=False) as db:
            write_version(db)

    def _keep_raw_copies_alone(self) -> None:
        """A first build goes on with what one before it has read, and with nothing else of it."""
        try:
            if self.file.exists():
                with open_warehouse(self.file, read_only=False) as db:
                    for (schema,) in db.execute(
                        "select schema_name from duckdb_schemas() where not internal"
                        " and database_name = current_database() and schema_name != 'staging'"
                    ).fetchall():
                        db.execute(f'drop schema "{schema}" cascade')
        except (CharthouseError, duckdb.Error):
            _remove(self.file)

    def _move_raw_copies(self) -> None:
        """What a build that did not end well has read anew goes to a file of its own."""
        if not self.file.exists():
            return
        try:
            with in_memory_database() as db:
                db.execute(f"attach {text_literal(self.raw_copies)} as kept")
                db.execute(f"attach {text_literal(self.file)} as unfinished (read_only)")
                db.execute("create schema if not exists kept.staging")
                known = _raw_copies(self._standing) | _raw_copies(db, "kept")
                for table, comment in _raw_copies(db, "unfinished") - known:
                    copy = f'kept.staging."{table}"'
                    db.execute(
                        f'create or replace table {copy} as from unfinished.staging."{table}"'
                    )
                    db.execute(f"comment on table {copy} is {text_literal(comment)}")
                is_empty = not _raw_copies(db, "kept")
                db.execute("checkpoint kept")
        except duckdb.Error:  # damaged, or no room: then they are read again
            is_empty = True
        _remove(self.file)
        if is_empty:
            _remove(self.raw_copies)

    def _copy(self, source: int) -> None:
        size = os.fstat(source).st_size
        disk = os.statvfs(self._folder)
        free = disk.f_bavail * disk.f_frsize
        no_room = CharthouseError(
            f"{self._warehouse}: a build works on a copy beside it, which takes {size / 1e6:,.0f}"
            f" MB, and {free / 1e6:,.0f} MB are free. Free space on the disk of the warehouse, or"
            " set CHARTHOUSE_WAREHOUSE to another."
        )
        target = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(source, "rb", closefd=False) as old, open(target, "wb") as new:
            try:
                fcntl.ioctl(target, _FICLONE, source)
            except OSError:
                if free < size:
                    raise no_room from None
                try:
                    shutil.copyfileobj(old, new, _CHUNK)
                    new.flush()
                except OSError as error:
                    raise no_room if error.errno in _NO_SPACE else error from None
        _give_rights_of(self._warehouse, self.file)

    def _is_of_use(self) -> bool:
        """Whether this build has read a raw file anew, or stored what broke a promise."""
        with suppress(CharthouseError, duckdb.Error), open_warehouse(self.file) as db:
            found = db.execute(
                "select 1 from duckdb_tables() where schema_name = ?", [_STORED_FAILURES]
            ).fetchall()
            return bool(found or _raw_copies(db) - _raw_copies(self._standing))
        return False

    def _require_unmoved(self) -> None:
        copied = self._copied and (self._copied.st_dev, self._copied.st_ino)
        if file_id(self._warehouse) != copied:
            raise CharthouseError(
                f"{self._warehouse}: another program has put a file there, or taken it away, while"
                " this build went on. It is left as it is: build again."
            )
        if self._log.exists():
            raise CharthouseError(
                f"{self._log}: a log without its warehouse, which would spoil the next one. Move it"
                " away, or back beside its own, then build again."
            )


def _raw_copies(
    db: duckdb.DuckDBPyConnection | None, database: str | None = None
) -> set[tuple[str, str]]:
    """Tables of raw files, each with the comment that says which file it was."""
    if db is None:
        return set()
    return set(
        db.execute(
            "select table_name, comment from duckdb_tables() where schema_name = 'staging'"
            " and comment is not null and database_name = coalesce($1, current_database())",
            [database],
        ).fetchall()
    )


def _give_rights_of(old: Path, new: Path) -> None:
    """Whoever may read the one may read the other, and nobody else."""
    shutil.copystat(old, new)
    found = old.stat()
    try:
        os.chown(new, found.st_uid if os.geteuid() == 0 else -1, found.st_gid)
    except PermissionError:  # not of that group: then it is of none
        new.chmod(found.st_mode & 0o707)


def _remove(database: Path) -> None:
    """A file of DuckDB, and what DuckDB has left beside it."""
    for ending in ("", ".wal"):
        database.with_name(f"{database.name}{ending}").unlink(missing_ok=True)
    shutil.rmtree(database.with_name(f"{database.name}.tmp"), ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

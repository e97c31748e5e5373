"""What leaves the machine and what comes back, in SQLite until it is in the warehouse.

DuckDB takes its time for each transaction and may be in use by somebody else; a row of SQLite takes
neither. A killed process leaves its file behind, and the next run moves what it holds, so no answer
that came is asked for twice and no request that left is missing in results.sends.

Every commit reaches the disk (synchronous = full): what was paid for, and the log of what has left,
outlast a power cut too. Each run has a file of its own, beside the warehouse and for its owner
alone, and holds it locked: then SQLite needs no memory shared between processes (no -shm), which it
has on one machine only, and a warehouse on a shared disk will do.
"""

import json
import os
import re
import sqlite3
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any

import duckdb
import pyarrow as pa

from charthouse.core.errors import CharthouseError
from charthouse.core.warehouse import LockHeldError, file_id, open_warehouse, wait_for_lock
from charthouse.net.guard import Send

Row = Mapping[str, Any]
Writer = Callable[[duckdb.DuckDBPyConnection, Sequence[Row]], None]
"""Adds rows to a table of results, in the caller's transaction; none that is there already."""

APPLICATION = 0x43484F31  # "CHO1": another layout of the file is another number

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_OF_NONSENSE = (ValueError, TypeError, LookupError, AttributeError)


class _Unusable(CharthouseError):
    """A file that is damaged, or not ours."""

    def __init__(self, path: Path) -> None:
        what = "is damaged, or no outbox of Charthouse. Move it away, then run again."
        super().__init__(f"{path}: {what}")


def write_sends(db: duckdb.DuckDBPyConnection, rows: Sequence[Row]) -> None:
    """Adds to results.sends; a run logs no two requests at the same time of its clock."""
    once = {tuple(row.values()): row for row in rows}.values()
    columns = {name: pa.array([row[name] for row in once]) for name in rows[0]}
    columns["sent_at"] = pa.array([datetime.fromisoformat(row["sent_at"]) for row in once])
    db.register("batch", pa.table(columns))
    db.execute(
        "insert into results.sends by name select * from batch where not exists (select 1"
        " from results.sends as sends"
        " where sends.run_id = batch.run_id and sends.sent_at = batch.sent_at)"
    )
    db.unregister("batch")


SENDS: Mapping[str, Writer] = {"send": write_sends}


class Outbox:
    """The outbox of one run; may be written to by several threads.

    Its file is made when it is opened, or with the first row; the end of a `with` moves what there
    is to the warehouse and takes the file away. Its name is that of what one process at a time may
    do; a run's own id where several may. `writers` write each kind of row to the warehouse.
    """

    _OURS = "from waiting where kind in (select value from json_each(?1))"

    def __init__(
        self, warehouse: Path, name: str, writers: Mapping[str, Writer] = SENDS, run_id: str = ""
    ) -> None:
        self.path = warehouse.with_name(f"{warehouse.name}.{name}.outbox")
        self._warehouse, self._writers, self.run_id = warehouse, writers, run_id
        self._last = datetime.min
        self._db: sqlite3.Connection | None = None
        self._using, self._moving = Lock(), Lock()
        self._kinds = json.dumps([*writers])

    def open(self) -> "Outbox":
        """Takes the file for this process alone.

        Raises:
            charthouse.core.warehouse.LockHeldError: another process has it.
            CharthouseError: the file cannot be made or opened.
        """
        with self._using:
            self._opened()
        return self

    def record(self, send: Send) -> None:
        """Logs a request; of charthouse.net.guard.Guard, which sends nothing if this raises.

        Raises:
            CharthouseError: the disk does not take it.
        """
        with self._using:
            # a time of its own for each: with the run it is what a row is known by
            self._last = max(send.at, self._last + timedelta(microseconds=1))
            sent = {name: value for name, value in vars(send).items() if name != "at"}
            self._add("send", {"run_id": self.run_id, "sent_at": self._last.isoformat(), **sent})

    def add(self, kind: str, row: Row) -> None:
        """Writes a row down; it is on the disk when this returns.

        Raises:
            CharthouseError: the disk does not take it.
        """
        with self._using:
            self._add(kind, row)

    def flush(self, gives_up: Callable[[], bool] = lambda: False) -> Counter[str]:
        """Moves what there is to the warehouse; others may add rows meanwhile.

        Returns:
            How many rows of each kind were moved. While the warehouse is in use, `gives_up` is
            asked whether to wait no longer.

        Raises:
            CharthouseError: the warehouse is in use, or a disk is full; what there is stays, for
                the next flush or the next run.
        """
        with self._moving:
            if not (found := self._rows()):
                return Counter()
            rows: dict[str, list[Row]] = {}
            for _, kind, row in found:
                rows.setdefault(kind, []).append(json.loads(row))
            with open_warehouse(self._warehouse, read_only=False, stop_waiting=gives_up) as db:
                db.execute("begin")
                for kind, of_kind in rows.items():
                    self._writers[kind](db, of_kind)
                db.execute("commit")
            # killed here: they are moved again, and a writer adds no row twice
            with self._using, _faults_told(self.path):
                assert self._db is not None  # it had rows
                # one commit; what came meanwhile has a larger id
                self._db.execute(f"delete {self._OURS} and id <= ?2", [self._kinds, found[-1][0]])
            return Counter(kind for _, kind, _ in found)

    def __enter__(self) -> "Outbox":
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        try:
            self.flush(lambda: error is not None)  # after Ctrl-C nobody waits for a lock
            self.remove()
        except CharthouseError:
            if error is None:  # else what ended the run is the better message
                raise
        finally:
            self.close()

    def remove(self) -> None:
        """Takes the file away, unless it still holds rows."""
        with self._using, _faults_told(self.path):
            if self._db is None or self._db.execute("select 1 from waiting").fetchone():
                return
            self._db.execute("pragma journal_mode = delete")  # and with it the -wal
            self.path.unlink(missing_ok=True)  # while it is locked: nobody else has begun with it

    def close(self) -> None:
        """Lets go of the file; what it holds is the next run's, be it of this process."""
        with self._using:
            if self._db is not None:
                self._db.close()
                self._db = None

    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            with _faults_told(self.path):
                self._db = _open(self.path)
        return self._db

    def _add(self, kind: str, row: Row) -> None:
        try:
            db = self._opened()
        except LockHeldError:  # by one that looks for what killed runs left, for a moment
            raise _unwritten(self.path, "another process has it") from None
        with _faults_told(self.path):
            db.execute("insert into waiting (kind, row) values (?, ?)", [kind, json.dumps(row)])

    def _rows(self) -> list[tuple[int, str, str]]:
        """Of the kinds that can be written, in the order in which they came."""
        with self._using, _faults_told(self.path):
            if self._db is None:
                return []
            query = f"select id, kind, row {self._OURS} order by id"
            return self._db.execute(query, [self._kinds]).fetchall()


def recover(
    warehouse: Path, say: Callable[[str], None], writers: Mapping[str, Writer] = SENDS
) -> None:
    """Moves what killed runs have left behind; leaves alone those of runs that still go on.

    Raises:
        CharthouseError: the warehouse is in use, or a disk is full; nothing is lost.
    """
    found: Counter[str] = Counter()
    # not of a warehouse whose name begins with this one's and a dot
    ours = re.compile(rf"{re.escape(warehouse.name)}\.[\w-]+\.outbox")
    for path in sorted(each for each in warehouse.parent.iterdir() if ours.fullmatch(each.name)):
        if not os.path.lexists(path):  # its run has ended meanwhile
            continue
        if not os.access(path, os.R_OK | os.W_OK, follow_symlinks=False):
            say(f"  {path}: is of another user, who moves it to the warehouse by charthouse ask.")
            continue
        name = path.name.removeprefix(f"{warehouse.name}.").removesuffix(".outbox")
        outbox = Outbox(warehouse, name, writers)
        try:
            wait_for_lock(warehouse)  # not while the file is held, which its next run may want
            found += outbox.open().flush()
            outbox.remove()
        except LockHeldError:
            continue
        except _Unusable:
            say(f"  {_set_aside(path)}: is damaged, or no outbox of Charthouse; set aside.")
        except (duckdb.Error, pa.ArrowException, ArithmeticError, *_OF_NONSENSE) as error:
            what = type(error).__name__
            say(f"  {_set_aside(path)}: holds what is no answer ({what}); set aside.")
        finally:
            outbox.close()
    if found["answer"]:
        say(f"  {found['answer']} answers of a run that was killed are kept.")


def _open(path: Path) -> sqlite3.Connection:
    """Makes the file, or opens it, and locks it."""
    while True:
        with suppress(FileExistsError):
            # never opened where it exists: to close it again would end a lock of this process
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        before = file_id(path)
        with suppress(FileNotFoundError):
            if not stat.S_ISREG(path.lstat().st_mode):
                raise _Unusable(path)
        db = None
        try:
            db = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rw",
                uri=True,
                timeout=0,
                isolation_level=None,
                check_same_thread=False,
            )
            db.execute("pragma locking_mode = exclusive")
            db.execute("begin exclusive")
            ((application,),) = db.execute("pragma application_id").fetchall()
            if application != APPLICATION:
                if db.execute("select 1 from sqlite_master").fetchone():
                    raise _Unusable(path)
                db.execute(
                    # an id is never used again: what one thread deletes is what it has moved
                    "create table waiting (id integer primary key autoincrement,"
                    " kind text not null, row text not null)"
                )
                db.execute(f"pragma application_id = {APPLICATION}")
            db.execute("commit")
            db.execute("pragma journal_mode = wal")
            db.execute("pragma synchronous = full")
        except BaseException:
            if db is not None:
                db.close()
            if before is not None and file_id(path) == before:
                raise
        else:
            if file_id(path) == before:
                return db
            db.close()  # its run took it away before it was locked


@contextmanager
def _faults_told(path: Path) -> Iterator[None]:
    """What SQLite or the disk says becomes one line.

    Raises:
        charthouse.core.warehouse.LockHeldError: another process has the file.
    """
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_BUSY:
            raise LockHeldError("another process") from None
        if code in _DAMAGED:
            raise _Unusable(path) from None
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        raise _unwritten(path, "no space left" if code == sqlite3.SQLITE_FULL else name) from None
    except OSError as error:
        raise _unwritten(path, error.strerror) from None


def _unwritten(path: Path, why: str | None) -> CharthouseError:
    return CharthouseError(
        f"{path}: cannot be written ({why}). Make room or mend its rights, then run again: what was"
        " answered is kept."
    )


def _set_aside(path: Path) -> Path:
    """Where it is now, with what SQLite keeps beside it."""
    aside = path.with_suffix(f".{datetime.now(UTC):%Y%m%dT%H%M%S%f}.unreadable")
    with _faults_told(path):
        with suppress(FileNotFoundError):  # another process was quicker
            path.rename(aside)
        for ending in ("-wal", "-journal"):
            with suppress(FileNotFoundError):
                path.with_name(path.name + ending).rename(f"{aside}{ending}")
    return aside

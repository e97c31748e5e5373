"""Answers are written here the moment they come, and moved to the warehouse in batches.

DuckDB takes its time for each transaction and may be in use by somebody else; a line at the end of
a file takes neither. A killed process leaves the file behind, and the next run moves what it holds:
no answer that has come is ever asked for twice. The file stands beside the warehouse, for its owner
alone.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from glob import escape
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

import duckdb
import pyarrow as pa

from charthouse.core.errors import CharthouseError
from charthouse.core.warehouse import open_warehouse
from charthouse.jobs.ask.locked import create_locked, open_locked
from charthouse.jobs.ask.store import keep_answers
from charthouse.net.guard import Send
from charthouse.net.sends import note_sends

Row = Mapping[str, Any]


@dataclass
class _Page:
    """A file of the journal, and what it holds."""

    path: Path
    file: BinaryIO
    answers: list[Row] = field(default_factory=list)
    sends: list[Row] = field(default_factory=list)

    def write(self, kind: str, row: Row) -> None:
        """Adds a line.

        Raises:
            CharthouseError: the disk does not take it.
        """
        line = json.dumps({kind: row}).encode() + b"\n"
        try:
            written = self.file.write(line)
        except OSError as error:
            raise self._full(error.strerror) from None
        if written != len(line):
            raise self._full("no space left")
        (self.answers if kind == "answer" else self.sends).append(row)

    def remove(self) -> None:
        """Once what it held is elsewhere."""
        self.path.unlink(missing_ok=True)
        self.file.close()

    def _full(self, why: str | None) -> CharthouseError:
        return CharthouseError(
            f"{self.path}: cannot be written ({why}). Make room, then run again: what was answered"
            " is kept."
        )


class Journal:
    """The journal of one run; may be written to by several threads."""

    def __init__(self, warehouse: Path, run_id: str) -> None:
        self._warehouse, self._run_id = warehouse, run_id
        self._numbers = count(1)
        self._writing, self._moving = Lock(), Lock()
        self._full: list[_Page] = []
        self._page = self._turn()

    def send(self, send: Send) -> None:
        """A log for charthouse.net.guard.Guard."""
        row = {
            "run_id": self._run_id,
            "sent_at": send.at.isoformat(),
            "host": send.host,
            "allowed_because": send.allowed_because,
            "items": send.items,
            "bytes": send.bytes,
        }
        self._write("send", row)

    def answer(self, row: Row) -> None:
        """A row of results.answers."""
        self._write("answer", row)

    def flush(self) -> None:
        """Moves what there is to the warehouse; others write on a new page meanwhile.

        Raises:
            CharthouseError: the warehouse is in use, or the disk is full; what there is stays, for
                the next flush or the next run.
        """
        with self._moving:
            with self._writing:
                if self._page.answers or self._page.sends:
                    self._full.append(self._page)
                    self._page = self._turn()
            while self._full:
                page = self._full[0]
                _move(self._warehouse, page.answers, page.sends)
                page.remove()
                self._full.pop(0)

    def close(self) -> None:
        """Moves what there is and takes the last page away.

        Raises:
            CharthouseError: as flush; the next run moves what is left.
        """
        try:
            self.flush()
            self._page.remove()
        finally:  # what is left is the next run's, be it of this process
            for page in (*self._full, self._page):
                page.file.close()

    def _turn(self) -> _Page:
        name = f"{self._warehouse.name}.{self._run_id}.{next(self._numbers)}.journal"
        path = self._warehouse.with_name(name)
        try:
            file = create_locked(path, 0o600)
        except OSError as error:
            raise CharthouseError(
                f"{path}: cannot be written ({error.strerror}). Mend the folder's rights."
            ) from None
        assert file is not None  # no other run has this run's name
        return _Page(path, file)

    def _write(self, kind: str, row: Row) -> None:
        with self._writing:
            self._page.write(kind, row)


def recover(warehouse: Path, say: Callable[[str], None]) -> None:
    """Moves what killed runs have left behind; leaves alone those of runs that still go on."""
    found = 0
    for path in sorted(warehouse.parent.glob(f"{escape(warehouse.name)}.*.journal")):
        try:
            file = open_locked(path)
        except PermissionError:
            say(f"  {path}: is of another user, who moves it to the warehouse by charthouse ask.")
            continue
        if file is None:
            continue
        with file:
            answers, sends = _read(file)
            try:
                _move(warehouse, answers, sends)
            except (duckdb.Error, pa.ArrowException, ValueError, OverflowError, KeyError) as error:
                aside = path.with_suffix(".unreadable")
                path.rename(aside)
                say(f"  {aside}: holds what is no answer ({type(error).__name__}); set aside.")
                continue
            path.unlink(missing_ok=True)
        found += len(answers)
    if found:
        say(f"  {found} answers of a run that was killed are kept.")


def _read(lines: Iterable[bytes]) -> tuple[list[Row], list[Row]]:
    """Answers and sends; a line that was cut is none."""
    answers: list[Row] = []
    sends: list[Row] = []
    for line in lines:
        if not line.endswith(b"\n"):
            break
        try:
            [(kind, row)] = json.loads(line).items()
        except (ValueError, AttributeError):  # cut by a full disk, and written on afterwards
            continue
        (answers if kind == "answer" else sends).append(row)
    return answers, sends


def _move(warehouse: Path, answers: Sequence[Row], sends: Sequence[Row]) -> None:
    """All of it or nothing.

    Raises:
        CharthouseError: the warehouse is in use, or the disk is full.
    """
    if not answers and not sends:
        return
    with open_warehouse(warehouse, read_only=False) as db:
        db.execute("begin")
        keep_answers(db, answers)
        note_sends(db, sends)
        db.execute("commit")

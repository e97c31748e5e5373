"""Answers are written here the moment they come, and moved to the warehouse in batches.

DuckDB takes its time for each transaction and may be in use by somebody else; a line at the end of
a file takes neither. A killed process leaves the file behind, and the next run moves what it holds:
no answer that has come is ever asked for twice. The file stands beside the warehouse and needs the
same protection.
"""

import fcntl
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

from charthouse.ask.store import keep_answers
from charthouse.errors import CharthouseError
from charthouse.guard import Send
from charthouse.sends import note_sends
from charthouse.warehouse import open_warehouse

Row = Mapping[str, Any]


@dataclass
class _Page:
    """A file of the journal, locked for as long as the process lives, and what it holds."""

    path: Path
    file: BinaryIO
    answers: list[Row] = field(default_factory=list)
    sends: list[Row] = field(default_factory=list)

    @staticmethod
    def new(path: Path) -> "_Page":
        try:
            file = path.open("ab")
        except OSError as error:
            raise CharthouseError(
                f"{path}: cannot be written ({error.strerror}). Mend the folder's rights."
            ) from None
        fcntl.flock(file, fcntl.LOCK_EX)
        return _Page(path, file)

    @property
    def lines(self) -> int:
        return len(self.answers) + len(self.sends)

    def remove(self) -> None:
        """Once what it held is elsewhere."""
        self.path.unlink(missing_ok=True)
        self.file.close()


class Journal:
    """The journal of one run; may be written to by several threads."""

    def __init__(self, warehouse: Path, run_id: str) -> None:
        self._warehouse, self._run_id = warehouse, run_id
        self._numbers = count(1)
        self._one_at_a_time = Lock()
        self._page = self._turn()

    def send(self, send: Send) -> None:
        """A log for charthouse.guard.Guard."""
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

    @property
    def held(self) -> int:
        """Lines that have not been moved yet."""
        return self._page.lines

    def flush(self) -> None:
        """Moves what there is to the warehouse; others write on a new page meanwhile."""
        with self._one_at_a_time:
            page, self._page = self._page, self._turn()
        _move(self._warehouse, page.answers, page.sends)
        page.remove()

    def close(self) -> None:
        """Moves what there is and takes the last page away.

        Raises:
            CharthouseError: the warehouse cannot be written to; the next run moves what is left.
        """
        self.flush()
        self._page.remove()

    def _turn(self) -> _Page:
        name = f"{self._warehouse.name}.{self._run_id}.{next(self._numbers)}.journal"
        return _Page.new(self._warehouse.with_name(name))

    def _write(self, kind: str, row: Row) -> None:
        line = json.dumps({kind: row}).encode() + b"\n"
        with self._one_at_a_time:
            page = self._page
            try:
                page.file.write(line)
                page.file.flush()
            except OSError as error:
                raise CharthouseError(
                    f"{page.path}: cannot be written ({error.strerror}). Make room, then run again:"
                    " what was answered is kept."
                ) from None
            (page.answers if kind == "answer" else page.sends).append(row)


def recover(warehouse: Path, say: Callable[[str], None]) -> None:
    """Moves what killed runs have left behind; leaves alone those of runs that still go on."""
    found = 0
    for path in sorted(warehouse.parent.glob(f"{warehouse.name}.*.journal")):
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            answers, sends = _read(file)
            _move(warehouse, answers, sends)
            path.unlink(missing_ok=True)
        found += len(answers)
    if found:
        say(f"  {found} answers of a run that was killed are kept.")


def _read(lines: Iterator[bytes]) -> tuple[list[Row], list[Row]]:
    """Answers and sends; a last line that was cut is none."""
    answers: list[Row] = []
    sends: list[Row] = []
    for line in lines:
        if not line.endswith(b"\n"):
            break
        try:
            [(kind, row)] = json.loads(line).items()
        except ValueError:  # cut by a full disk, and written on afterwards
            continue
        (answers if kind == "answer" else sends).append(row)
    return answers, sends


def _move(warehouse: Path, answers: Sequence[Row], sends: Sequence[Row]) -> None:
    if not answers and not sends:
        return
    with open_warehouse(warehouse, read_only=False) as db:
        db.execute("begin")
        keep_answers(db, answers)
        note_sends(db, sends)
        db.execute("commit")

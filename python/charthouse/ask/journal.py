"""Answers are written here the moment they come, and moved to the warehouse in batches.

DuckDB takes its time for each transaction and may be in use by somebody else; a line at the end of
a file takes neither. A killed process leaves the file behind, and the next run moves what it holds:
no answer that has come is ever asked for twice. The file stands beside the warehouse and needs the
same protection.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from charthouse.ask.store import keep_answers
from charthouse.errors import CharthouseError
from charthouse.guard import Send
from charthouse.sends import note_sends
from charthouse.warehouse import open_warehouse

Row = Mapping[str, Any]


class Journal:
    """The journal of one run; its file is locked for as long as the process lives.

    Safe to write to from several threads.
    """

    def __init__(self, warehouse: Path, run_id: str) -> None:
        self._warehouse, self._run_id = warehouse, run_id
        self._path = warehouse.with_name(f"{warehouse.name}.{run_id}.journal")
        try:
            self._file = self._path.open("ab")
        except OSError as error:
            raise CharthouseError(
                f"{self._path}: cannot be written ({error.strerror}). Mend the folder's rights."
            ) from None
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._answers: list[Row] = []
        self._sends: list[Row] = []
        self._one_at_a_time = Lock()

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
        self._write("send", row, self._sends)

    def answer(self, row: Row) -> None:
        """A row of results.answers."""
        self._write("answer", row, self._answers)

    @property
    def held(self) -> int:
        """Lines that have not been moved yet."""
        return len(self._answers) + len(self._sends)

    def flush(self) -> None:
        """Moves everything to the warehouse."""
        with self._one_at_a_time:
            _move(self._warehouse, self._answers, self._sends)
            os.ftruncate(self._file.fileno(), 0)
            self._answers.clear()
            self._sends.clear()

    def close(self) -> None:
        """Takes the file away, if all that it held was moved."""
        with self._one_at_a_time:
            if not self.held:
                self._path.unlink(missing_ok=True)
            self._file.close()

    def _write(self, kind: str, row: Row, held: list[Row]) -> None:
        line = json.dumps({kind: row}).encode() + b"\n"
        with self._one_at_a_time:
            try:
                self._file.write(line)
                self._file.flush()
            except OSError as error:
                raise CharthouseError(
                    f"{self._path}: cannot be written ({error.strerror}). Make room, then run"
                    " again: what was answered is kept."
                ) from None
            held.append(row)


def recover(warehouse: Path, say: Callable[[str], None]) -> None:
    """Moves what killed runs have left behind; leaves alone those of runs that still go on."""
    for path in sorted(warehouse.parent.glob(f"{warehouse.name}.*.journal")):
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            answers, sends = _read(file)
            _move(warehouse, answers, sends)
            path.unlink(missing_ok=True)
        if answers:
            say(f"  {len(answers)} answers of a run that was killed are kept.")


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

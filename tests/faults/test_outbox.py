"""What leaves and what comes back is kept until it is in the warehouse, whatever happens."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

import duckdb
import pytest

import charthouse.net.outbox as module
import forked
from charthouse.core.errors import CharthouseError
from charthouse.core.warehouse import LockHeldError, open_warehouse, write_version
from charthouse.jobs.ask.store import WRITERS
from charthouse.net.guard import Guard, Send
from charthouse.net.outbox import Outbox, recover
from small_disk import fill, needs_root, small_disk

NOON = datetime(2026, 11, 30, 12)


def send(size: int = 1) -> Send:
    return Send("127.0.0.1", "loopback", 1, size, NOON)


def answer(question: str, text: str | None = "Yes") -> dict[str, object]:
    status = "error" if text is None else "answered"
    return {"learner": "llava", "question_hash": question, "answer": text, "status": status}


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    """The two tables that an outbox is moved to; of answers what matters here."""
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as db:
        write_version(db)
        db.execute("create schema results")
        db.execute(
            "create table results.sends (run_id varchar, sent_at timestamp, host varchar,"
            " allowed_because varchar, items bigint, bytes bigint)"
        )
        db.execute(
            "create table results.answers (learner varchar, question_hash varchar, answer varchar,"
            " status varchar)"
        )
    return path


def rows(warehouse: Path, query: str) -> list[tuple]:
    with open_warehouse(warehouse) as db:
        return db.execute(query).fetchall()


def sizes(warehouse: Path) -> list[int]:
    return [size for (size,) in rows(warehouse, "select bytes from results.sends order by bytes")]


def answers(warehouse: Path) -> list[tuple]:
    return rows(warehouse, "select question_hash, answer from results.answers order by 1")


def beside(warehouse: Path) -> list[str]:
    return sorted(path.name for path in warehouse.parent.iterdir() if path != warehouse)


def test_the_outbox_of_another_warehouse_is_its_own(warehouse: Path) -> None:
    other = warehouse.with_name(f"{warehouse.name}.bak")
    other.write_bytes(warehouse.read_bytes())
    killed = Outbox(other, "ask-llava", WRITERS)
    killed.add("answer", answer("q"))
    killed.close()
    assert recovered(warehouse) == [] and answers(warehouse) == []
    assert recovered(other) and answers(other) == [("q", "Yes")]


def recovered(warehouse: Path) -> list[str]:
    said: list[str] = []
    recover(warehouse, said.append, WRITERS)
    return said


def write_and_die(warehouse: Path, *, while_moving: bool = False) -> None:
    """Three requests, and two answers to one question; with the last one the process is gone."""
    outbox = Outbox(warehouse, "ask-llava", WRITERS, "ask-1")
    for size in (1, 2, 3):
        outbox.record(send(size))
    outbox.add("answer", answer("a"))
    outbox.add("answer", answer("a", None))

    @contextmanager
    def dies_behind(*given: object, **more: object) -> Iterator[duckdb.DuckDBPyConnection]:
        with open_warehouse(warehouse, read_only=False) as db:
            yield db
        os.kill(os.getpid(), signal.SIGKILL)

    if while_moving:
        module.open_warehouse = dies_behind  # type: ignore[assignment]
        outbox.flush()
    os.kill(os.getpid(), signal.SIGKILL)


def killed(warehouse: Path) -> None:
    process = forked.start(write_and_die, warehouse)
    process.join()
    assert process.exitcode == -signal.SIGKILL


@contextmanager
def held(warehouse: Path, statement: str) -> Iterator[None]:
    """Another process has a file open, and runs something on it first."""
    with subprocess.Popen(
        [sys.executable, "-c", f"{statement}\nprint(1, flush=True)\ninput()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=warehouse.parent,
    ) as holder:
        assert holder.stdout is not None and holder.stdout.readline()
        try:
            yield
        finally:
            holder.kill()


DUCKDB = "import duckdb; held = duckdb.connect('warehouse.duckdb')"


def test_what_a_killed_run_wrote_is_moved_by_the_next_one(warehouse: Path) -> None:
    killed(warehouse)
    left = [path for path in warehouse.parent.iterdir() if path != warehouse]
    assert {path.stat().st_mode & 0o777 for path in left} == {0o600} and len(left) == 2
    assert not sizes(warehouse)
    assert recovered(warehouse) == ["  2 answers of a run that was killed are kept."]
    assert sizes(warehouse) == [1, 2, 3] and answers(warehouse) == [("a", "Yes")]
    assert not beside(warehouse) and not recovered(warehouse)


def moved_and_killed(warehouse: Path) -> None:
    write_and_die(warehouse, while_moving=True)


def test_killed_between_warehouse_and_outbox_no_row_is_there_twice(warehouse: Path) -> None:
    process = forked.start(moved_and_killed, warehouse)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    moved = rows(warehouse, "select * from results.sends order by all"), answers(warehouse)
    assert len(moved[0]) == 3 and beside(warehouse)  # it holds them still
    recovered(warehouse)
    assert (
        rows(warehouse, "select * from results.sends order by all"),
        answers(warehouse),
    ) == moved
    assert not beside(warehouse)


def test_requests_of_one_moment_are_all_in_the_log(warehouse: Path) -> None:
    with Outbox(warehouse, "embed-1", run_id="embed-1") as outbox:
        threads = [
            threading.Thread(target=lambda: [outbox.record(send(7)) for _ in range(5)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        outbox.flush()  # others write meanwhile
        for thread in threads:
            thread.join()
    found = rows(warehouse, "select distinct run_id, sent_at, bytes from results.sends")
    assert len(found) == 20 and {row[2] for row in found} == {7}
    assert not beside(warehouse)


def test_who_moves_sends_alone_leaves_answers_to_who_can(warehouse: Path) -> None:
    killed(warehouse)
    recover(warehouse, print)
    assert sizes(warehouse) == [1, 2, 3] and not answers(warehouse)
    recovered(warehouse)
    assert answers(warehouse) == [("a", "Yes")] and sizes(warehouse) == [1, 2, 3]


def test_the_outbox_of_a_run_that_goes_on_is_its_own(warehouse: Path) -> None:
    statement = (
        "from pathlib import Path\nfrom charthouse.net.outbox import Outbox\n"
        "held = Outbox(Path('warehouse.duckdb'), 'ask-llava').open()\n"
        "held.add('answer', {'learner': 'llava', 'question_hash': 'b', 'answer': 'No',"
        " 'status': 'answered'})"
    )
    with held(warehouse, statement):
        assert not recovered(warehouse) and not answers(warehouse)
        with pytest.raises(LockHeldError):
            Outbox(warehouse, "ask-llava").open()
        with Outbox(warehouse, "ask-gemma", WRITERS).open() as other:
            other.add("answer", answer("c"))
        assert answers(warehouse) == [("c", "Yes")]
        mine = Outbox(warehouse, "ask-mine").open()
        assert not recovered(warehouse) and mine.path.exists()  # in this process too
        mine.close()
    assert recovered(warehouse) and answers(warehouse) == [("b", "No"), ("c", "Yes")]
    assert not beside(warehouse)


def test_a_request_is_logged_while_somebody_holds_the_warehouse(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARTHOUSE_LOCK_SECONDS", "600")
    outbox = Outbox(warehouse, "embed-1", run_id="embed-1")
    with held(warehouse, DUCKDB):
        with pytest.raises(KeyboardInterrupt), outbox:  # and nobody waits on the way out
            outbox.record(send())
            raise KeyboardInterrupt
        with pytest.raises(CharthouseError, match="is in use by"):
            outbox.open().flush(lambda: True)
        outbox.close()
    recovered(warehouse)
    assert sizes(warehouse) == [1]


def test_what_cannot_be_moved_stays_and_is_moved_once_it_can(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARTHOUSE_LOCK_SECONDS", "0")
    with (
        held(warehouse, DUCKDB),
        pytest.raises(CharthouseError, match="is in use by"),
        Outbox(warehouse, "ask-llava", WRITERS) as outbox,
    ):
        outbox.add("answer", answer("a"))
    assert beside(warehouse) == ["warehouse.duckdb.ask-llava.outbox"]
    recovered(warehouse)
    assert answers(warehouse) == [("a", "Yes")]


@needs_root
def test_what_a_full_disk_does_not_take_is_not_sent_and_what_it_took_is_kept(
    warehouse: Path, tmp_path: Path
) -> None:
    with small_disk(tmp_path, 4_000_000) as disk:
        full = disk / "warehouse.duckdb"
        full.write_bytes(warehouse.read_bytes())
        outbox = Outbox(full, "embed-1", run_id="embed-1")
        guard = Guard(log=outbox.record)
        guard.record(send(1))
        fill(disk)
        taken = 1
        with pytest.raises(CharthouseError, match="cannot be written") as caught:
            for taken in range(2, 1000):
                guard.record(send(taken))
        assert "\n" not in str(caught.value)
        outbox.close()
        (disk / "filler").unlink()
        recovered(full)
        assert sizes(full) == list(range(1, taken))


def test_where_no_file_can_be_made_nothing_is_sent(warehouse: Path) -> None:
    gone = warehouse.parent / "gone" / "warehouse.duckdb"
    with pytest.raises(CharthouseError, match=r"cannot be written \(No such file") as caught:
        Guard(log=Outbox(gone, "embed-1").record).record(send())
    assert "\n" not in str(caught.value)


def no_database(path: Path) -> None:
    path.write_text("Mr. Doe\n" * 200)


def of_another_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("create table waiting (id, kind, row)")
        db.execute("insert into waiting values (1, 'answer', 'theirs')")


def cut_in_two(path: Path) -> None:
    Outbox(path.parent / "warehouse.duckdb", "ask-llava").open().close()
    path.write_bytes(path.read_bytes()[:5000])


def a_folder(path: Path) -> None:
    path.mkdir()


def a_link(path: Path) -> None:
    path.symlink_to(path.with_name("elsewhere"))


def no_answer(path: Path) -> None:
    with closing(Outbox(path.parent / "warehouse.duckdb", "ask-llava").open()) as outbox:
        outbox.add("answer", {"learner": "Mr. Doe"})


@pytest.mark.parametrize(
    "spoil", [no_database, of_another_program, cut_in_two, a_folder, a_link, no_answer]
)
def test_a_file_that_is_no_outbox_is_set_aside_with_a_line_and_the_rest_goes_on(
    warehouse: Path, spoil: object
) -> None:
    path = warehouse.with_name("warehouse.duckdb.ask-llava.outbox")
    assert callable(spoil)
    spoil(path)
    before = path.read_bytes() if path.is_file() else None
    if spoil is not no_answer:
        with pytest.raises(CharthouseError, match="Move it away, then run again"):
            Outbox(warehouse, "ask-llava").open()
    (line,) = recovered(warehouse)
    assert "set aside" in line and "Doe" not in line and "\n" not in line
    (aside,) = warehouse.parent.glob("*.unreadable")
    assert str(aside) in line and not os.path.lexists(path)
    assert before is None or aside.read_bytes() == before or spoil is no_answer
    with Outbox(warehouse, "ask-llava", WRITERS) as outbox:
        outbox.add("answer", answer("a"))
    assert answers(warehouse) == [("a", "Yes")]

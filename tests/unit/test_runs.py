"""A run of a job, noted from its start to its end (charthouse.core.runs), on tables of its own."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from charthouse.core.errors import CharthouseError
from charthouse.core.runs import Run
from charthouse.core.warehouse import open_warehouse
from small_warehouse import COHORT, make_small_warehouse


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    make_small_warehouse(tmp_path / "warehouse.duckdb")
    return tmp_path / "warehouse.duckdb"


def a_run(warehouse: Path, **of_run: object) -> Run:
    return Run(warehouse=warehouse, cohort=COHORT, kind="embed", name="toy", **of_run)  # type: ignore[arg-type]


def rows(warehouse: Path, columns: str, table: str = "results.runs") -> list[tuple]:
    with open_warehouse(warehouse) as db:
        return db.execute(f"select {columns} from {table} order by run_id").fetchall()


def note(db: duckdb.DuckDBPyConnection, run: Run) -> None:
    db.execute("insert into results.notes values (?, 'one')", [run.run_id])


def test_a_run_is_noted_when_it_begins_and_when_it_ends(warehouse: Path) -> None:
    with a_run(warehouse, settings={"b": 1, "a": 2}, reads=["task mortality d"]) as run:
        found = "run_id, kind, settings, reads, counts, finished_at is null"
        assert rows(warehouse, found) == [
            (run.run_id, "embed", '{"a": 2, "b": 1}', ["task mortality d"], None, True)
        ]
        run.counts["encoded"] = 3
    assert rows(warehouse, "counts, finished_at >= started_at") == [('{"encoded": 3}', True)]


@pytest.mark.parametrize("error", [KeyboardInterrupt, CharthouseError, ValueError])
def test_what_cuts_a_run_short_leaves_it_unfinished_with_its_counts(
    warehouse: Path, error: type[BaseException]
) -> None:
    with pytest.raises(error), a_run(warehouse) as run:
        with run.transaction() as db:
            note(db, run)
        run.counts["encoded"] = 3
        with run.transaction() as db:
            note(db, run)
            raise error
    assert rows(warehouse, "counts, finished_at") == [('{"encoded": 3}', None)]
    assert rows(warehouse, "note", "results.notes") == [("one",)]


def test_what_is_committed_with_the_results_is_finished_whatever_comes_after(
    warehouse: Path,
) -> None:
    with pytest.raises(KeyboardInterrupt), a_run(warehouse) as run:
        with run.transaction() as db:
            run.counts["encoded"] = 3
            run.finish(db)
        raise KeyboardInterrupt
    assert rows(warehouse, "counts, finished_at is null") == [('{"encoded": 3}', False)]


def test_results_that_were_undone_finish_no_run_and_count_nothing(warehouse: Path) -> None:
    with pytest.raises(CharthouseError), a_run(warehouse) as run, run.transaction() as db:
        note(db, run)
        run.counts["encoded"] = 3
        run.finish(db)
        raise CharthouseError("the disk is full")
    assert rows(warehouse, "counts, finished_at") == [(None, None)]
    assert rows(warehouse, "note", "results.notes") == []


def test_a_run_that_ends_with_something_left_is_not_finished(warehouse: Path) -> None:
    with a_run(warehouse) as run:
        run.counts["left"], run.is_complete = 2, False
    assert rows(warehouse, "counts, finished_at") == [('{"left": 2}', None)]


def test_what_is_written_with_the_start_is_there_or_neither_is(warehouse: Path) -> None:
    def fails(db: duckdb.DuckDBPyConnection) -> None:
        db.execute("insert into results.notes values ('run', 'one')")
        raise CharthouseError("no")

    with pytest.raises(CharthouseError, match=r"^no$"), a_run(warehouse, on_start=fails):
        raise AssertionError("a run that could not be noted has begun")
    assert rows(warehouse, "run_id") == rows(warehouse, "note", "results.notes") == []


@pytest.mark.parametrize(
    "hashes", [{"cohort_hash": "e" * 32}, {"content_hashes": {("task", "mortality"): "e"}}]
)
def test_marts_of_another_cohort_are_not_written_to(warehouse: Path, hashes: dict) -> None:
    other = Run(warehouse=warehouse, cohort=replace(COHORT, **hashes), kind="ask", name="toy")
    with pytest.raises(CharthouseError, match="built again meanwhile"), other:
        raise AssertionError("a run of another cohort has begun")
    assert rows(warehouse, "run_id") == []


def test_a_run_whose_warehouse_is_gone_still_shows_what_ended_it(warehouse: Path) -> None:
    with pytest.raises(KeyboardInterrupt), a_run(warehouse) as run:
        run.counts["encoded"] = 3
        warehouse.write_bytes(b"no database")
        raise KeyboardInterrupt


def test_a_later_run_begins_later_though_the_clock_was_ahead(warehouse: Path) -> None:
    ahead = datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=5)
    with a_run(warehouse, run_id="a"), open_warehouse(warehouse, read_only=False) as db:
        db.execute("update results.runs set started_at = ?", [ahead])
    with a_run(warehouse, run_id="b"), a_run(warehouse, run_id="c", task="mortality"):
        pass
    (_, first, first_end), (_, second, second_end), (_, third, _) = rows(
        warehouse, "run_id, started_at, finished_at"
    )
    assert first == ahead < second and ahead <= first_end < second_end
    assert third < ahead  # of another task: its own order

"""results.runs: one row per run of a job, with all that made it."""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import duckdb

from charthouse.core.cohort import Cohort, require_same_cohort
from charthouse.core.errors import CharthouseError
from charthouse.core.provenance import code_version, package_versions
from charthouse.core.warehouse import insert_columns, open_warehouse


def new_run_id(kind: str) -> str:
    """Sorts by time, and no two are the same."""
    return f"{kind}-{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"


@dataclass(kw_only=True)
class Run:
    """One run of a job: noted when the with block begins, and again when it ends.

    A block that ends well has finished the run, at its end or where it called `finish`, in the
    transaction of its results. One that raises before leaves it unfinished, with the counts so far;
    one that is killed, or whose last transaction is undone, leaves it unfinished without them. What
    `transaction` committed stays in any case.

    Example:
        >>> with Run(warehouse=warehouse, cohort=cohort, kind="evaluate", name="evaluate") as run:
        ...     with run.transaction() as db:
        ...         _ = db.execute("insert into results.notes values (?, 'done')", [run.run_id])
        ...         run.counts["notes"] = 1
        ...         run.finish(db)
        >>> with open_warehouse(warehouse) as db:
        ...     print(db.execute("select kind, counts, finished_at is null from results.runs"
        ...                      " where run_id = ?", [run.run_id]).fetchall())
        [('evaluate', '{"notes": 1}', False)]
    """

    warehouse: Path
    cohort: Cohort  # what the job reads; once the marts hold another, `transaction` writes nothing
    kind: str  # embed, predict, ask, evaluate or audit
    name: str  # of the encoder, of the arm and its fusion, or of the learner
    task: str | None = None  # what is predicted; None for a run that belongs to no task
    seed: int = 0  # of whatever is random
    settings: Mapping[str, Any] = field(default_factory=dict)  # all else that changes results; JSON
    fingerprint: str = ""  # a hash of all that the results depend on
    reads: Sequence[str] = ()  # what they follow from, as `Cohort.reads` says it
    revision: str | None = None  # the published one of the weights
    device: str = "cpu"  # or cuda, or server
    on_start: Callable[[duckdb.DuckDBPyConnection], None] | None = None
    """Writes what must be there with the row of the run, in its transaction."""
    run_id: str = ""  # its name in every row of results; made up where it is not given
    counts: dict[str, Any] = field(default_factory=dict, init=False)
    """What the run did so far; the job fills it, and it is noted however the run ends."""
    is_complete: bool = field(default=True, init=False)
    """Set to False by a job that ends well with something left to do."""
    _is_finished: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        self.run_id = self.run_id or new_run_id(self.kind)

    def __enter__(self) -> Self:
        """Notes the start; errors are those of `transaction`."""
        with self.transaction() as db:
            self.start(db)
            if self.on_start is not None:
                self.on_start(db)
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._is_finished:  # or undone with the transaction that it was noted in
            return
        if error is not None:
            self._note_cut_short()
        else:
            with self.transaction() as db:
                self.finish(db)

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The warehouse, for writing: all of it or nothing, and never beside another cohort.

        Raises:
            CharthouseError: the marts were built again meanwhile, or it cannot be written.
        """
        with open_warehouse(self.warehouse, read_only=False) as db:
            db.execute("begin")
            require_same_cohort(db, self.cohort)
            yield db
            db.execute("commit")

    def start(self, db: duckdb.DuckDBPyConnection) -> None:
        """Writes the row of the run, in the caller's transaction."""
        row = {
            "run_id": self.run_id,
            "kind": self.kind,
            "name": self.name,
            "task": self.task,
            "cohort_hash": self.cohort.cohort_hash,
            "reads": list(self.reads),
            "protocol": self.cohort.protocol,
            "is_synthetic": self.cohort.is_synthetic,
            "code_version": code_version(),
            "seed": self.seed,
            "settings": json.dumps(self.settings, sort_keys=True),
            "revision": self.revision,
            "fingerprint": self.fingerprint,
            "packages": json.dumps(package_versions(), sort_keys=True),
            "device": self.device,
            "started_at": self._now_or_later(db),
        }
        insert_columns(db, "results.runs", {name: [value] for name, value in row.items()})

    def finish(self, db: duckdb.DuckDBPyConnection) -> None:
        """Notes the counts and that the run ended well, in the caller's transaction."""
        self._note(db, is_finished=self.is_complete)
        self._is_finished = True

    def _note(self, db: duckdb.DuckDBPyConnection, *, is_finished: bool) -> None:
        db.execute(
            "update results.runs as run set counts = ?, finished_at = if(?, greatest("
            "now() at time zone 'UTC', started_at, (select max(finished_at) + interval 1"
            " microsecond from results.runs as other where other.kind = run.kind"
            " and other.name = run.name and other.task is not distinct from run.task)), null)"
            " where run_id = ?",
            [json.dumps(self.counts, sort_keys=True), is_finished, self.run_id],
        )

    def _note_cut_short(self) -> None:
        """Notes what was done before an exception.

        Tried once: after Ctrl-C nobody waits for a lock. What fails here is not reported: the
        exception on its way is what the user should see.
        """
        if not self.counts:
            return
        with (
            suppress(CharthouseError, duckdb.Error),
            open_warehouse(self.warehouse, read_only=False, stop_waiting=lambda: True) as db,
        ):
            self._note(db, is_finished=False)

    def _now_or_later(self, db: duckdb.DuckDBPyConnection) -> datetime:
        """Later than every such run, even one that was noted while the clock was ahead.

        The last one counts: were it never overtaken, it would lock its encoder out until the clock
        has come so far.
        """
        now = datetime.now(UTC).replace(tzinfo=None)
        ((last,),) = db.execute(
            "select max(started_at) from results.runs"
            " where kind = ? and name = ? and task is not distinct from ?",
            [self.kind, self.name, self.task],
        ).fetchall()
        return max(now, last + timedelta(microseconds=1)) if last else now

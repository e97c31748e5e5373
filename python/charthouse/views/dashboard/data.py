"""What every page reads: the published copy, its queries cached for as long as it is the same."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import streamlit as st

from charthouse.core.data_kind import DataKind, data_kind_of
from charthouse.core.duckdb_errors import redact_errors
from charthouse.core.errors import CharthouseError
from charthouse.core.warehouse import open_warehouse
from charthouse.views.publish import FILE, OWN, modified_ns
from charthouse.views.report.read import rows as read_rows


@dataclass(frozen=True)
class Site:
    """What `charthouse dashboard` was asked to show.

    Attributes:
        folder: Of the published copy.
        warehouse: What it is a copy of; looked at only for its age.
        show_stays: Whether single stays are shown, of real patients too.
    """

    folder: Path
    warehouse: Path
    show_stays: bool = False


@dataclass(frozen=True)
class Copy:
    """A version of the published copy.

    Attributes:
        path: Its file, no link: a version that was published later is another file.
        mtime_ns: When the file was written; with the path, what caches are keyed by.
        tables: Names with schema.
        published_at: UTC.
        warehouse_modified_ns: Of the warehouse when it was copied.
        has_text: Whether reports and profiles have their text in it.
        has_embeddings: Whether the vectors are in it.
        cohort_hash: Of the cohort.
        protocol: strict or paper.
        data_kind: synthetic, open or credentialed.
        data_source: Name and licence of open data, else None.
    """

    path: Path
    mtime_ns: int
    tables: frozenset[str]
    published_at: datetime
    warehouse_modified_ns: int
    has_text: bool
    has_embeddings: bool
    cohort_hash: str
    protocol: str
    data_kind: DataKind
    data_source: str | None

    @property
    def is_synthetic(self) -> bool:
        """Whether it is of no real patient."""
        return self.data_kind == "synthetic"

    def lacks(self, *tables: str) -> list[str]:
        """Those of the tables that are not in it."""
        return [table for table in tables if table not in self.tables]

    def is_older_than(self, warehouse: Path) -> bool:
        """Whether the warehouse has been written to since."""
        return modified_ns(warehouse) > self.warehouse_modified_ns


_GUARDED: Sequence[DataKind] = ("synthetic", "open", "credentialed")


def others_beside(site: Site, copy: Copy) -> dict[str, Copy]:
    """Copies in folders beside this one, by the folder's name; none is of more guarded data."""
    found = {}
    for link in sorted(site.folder.parent.glob(f"*/{FILE}")):
        if not link.is_symlink() or link.parent == site.folder:
            continue
        try:
            other = find_copy(link.parent)
        except (CharthouseError, OSError, duckdb.Error):  # of an older clone, or not for us to read
            continue
        if other and _GUARDED.index(other.data_kind) <= _GUARDED.index(copy.data_kind):
            found[link.parent.name] = other
    return found


def find_copy(folder: Path) -> Copy | None:
    """The current version in a folder, or None: nothing has been published there."""
    link = folder / FILE
    if not link.exists():
        return None
    path = link.resolve()
    return _facts(path, path.stat().st_mtime_ns)


class _Open:
    """A version, open for reading until it is of no more use; opening costs more than asking."""

    def __init__(self, path: Path) -> None:
        self._closing = ExitStack()
        self._db = self._closing.enter_context(open_warehouse(path))

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """For one query of one of Streamlit's threads."""
        return self._db.cursor()

    def close(self) -> None:
        """Lets go of the file."""
        self._closing.close()


@st.cache_resource(max_entries=8, show_spinner=False, on_release=_Open.close)
def _opened(path: Path, mtime_ns: int) -> _Open:
    return _Open(path)


@st.cache_resource(max_entries=8, show_spinner=False)
def _facts(path: Path, mtime_ns: int) -> Copy:
    db = _opened(path, mtime_ns).cursor()
    (about,) = db.execute(
        "select published_at, warehouse_modified_ns, has_text, has_embeddings, cohort_hash,"
        f" protocol from {OWN}.copy cross join marts.cohort_definition"
    ).fetchall()
    (definition,) = read_rows(db, "from marts.cohort_definition")
    names = db.execute("select schema_name || '.' || table_name from duckdb_tables()").fetchall()
    tables = frozenset(name for (name,) in names)
    kind, source = data_kind_of(definition), definition.get("data_source")
    return Copy(path, mtime_ns, tables, *(*about, kind, source))


def frame(copy: Copy, query: str, *values: Any) -> pd.DataFrame:
    """What a query returns, read once for each version of the copy."""
    return _frame(copy.path, copy.mtime_ns, query, values)


@st.cache_data(max_entries=200, show_spinner=False)
def _frame(path: Path, mtime_ns: int, query: str, values: Sequence[Any]) -> pd.DataFrame:
    with redact_errors():
        return _opened(path, mtime_ns).cursor().execute(query, list(values)).fetch_df()


def read(copy: Copy, reader: Callable[[duckdb.DuckDBPyConnection, str], Any], of: str) -> Any:
    """What a reader of the report gives for a task, likewise."""
    return _read(copy.path, copy.mtime_ns, reader.__name__, of, reader)


@st.cache_data(max_entries=50, show_spinner=False)
def _read(path: Path, mtime_ns: int, name: str, of: str, _reader: Callable) -> Any:
    with redact_errors():
        return _reader(_opened(path, mtime_ns).cursor(), of)


def modalities(copy: Copy) -> list[str]:
    """In the order of vars.modalities."""
    return list(frame(copy, "select modality from marts.modalities order by position")["modality"])


def tasks(copy: Copy) -> list[str]:
    """Of the cohort, as seeds/registries/tasks.csv has them: the first is the paper's first."""
    found = frame(
        copy,
        "select labels.task from marts.labels as labels left join seeds.tasks as tasks"
        " on labels.task = tasks.task group by labels.task, tasks.rowid"
        " order by tasks.rowid nulls last, labels.task",
    )
    return list(found["task"])

"""`charthouse publish`: a read-only copy of the warehouse, for the dashboard and for BI tools.

The copy is a folder with `warehouse.duckdb` and `parquet/<schema>/<table>.parquet`. Both names are
links into a version below `.versions`, by way of the one link `.current`, which a publish replaces
when all of its version is on the disk. So file and folder change at the same moment, a reader that
has the old file open keeps it, and a publish that is killed has changed nothing.
"""

import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import duckdb

from charthouse.core.cohort import require_result_tables
from charthouse.core.data_kind import data_kind_of, tag
from charthouse.core.errors import CharthouseError
from charthouse.core.interrupts import describe_interrupt
from charthouse.core.local_paths import require_local
from charthouse.core.progress import PrintLine
from charthouse.core.provenance import code_version
from charthouse.core.warehouse import WriteError, open_copy, text_literal
from charthouse.views.free_text import (
    EMBEDDINGS,
    FITTED,
    NO_WORDS,
    SYNTHETIC,
    FreeText,
    free_text,
    left_out,
)

FILE, PARQUET = "warehouse.duckdb", "parquet"
COPIED = ("seeds", "marts", "results", "reports")
OWN = "published"
"""Schema of what only the copy has: `copy`, one row about itself."""

TWICE = {
    **{(EMBEDDINGS, view): ("vector",) for view in ("encoded", "current_vectors")},
    ("marts", "profile_texts"): ("text",),
}
"""Columns of views that are those of tables that are copied too."""

_CURRENT, _VERSIONS, _LOCK = ".current", ".versions", "lock"
_VERSION = re.compile(r"\d{8}T\d{12}")
_LINKS = {FILE: f"{_CURRENT}/{FILE}", PARQUET: f"{_CURRENT}/{PARQUET}"}


@dataclass(frozen=True)
class Options:
    """What a user may ask of `charthouse publish`."""

    out: Path | None = None  # None: beside the warehouse
    embeddings: bool = False
    with_text: bool = False  # of real patients too


@dataclass(frozen=True)
class _Table:
    schema: str
    name: str
    left_out: tuple[str, ...] = ()
    judged: tuple[str, ...] = ()  # kept in rows of runs on synthetic data
    rows: str = "true"

    @property
    def full_name(self) -> str:
        return f'{self.schema}."{self.name}"'


def published_dir(warehouse: Path) -> Path:
    """Where the copy of a warehouse is unless told otherwise: beside it."""
    return warehouse.with_name(f"{warehouse.name}.published")


def modified_ns(warehouse: Path) -> int:
    """When the warehouse was last written to, in nanoseconds, its log included; 0: there is none.

    The copy keeps it: a later one says that the warehouse is newer.
    """
    files = (warehouse, warehouse.with_name(f"{warehouse.name}.wal"))
    return max((file.stat().st_mtime_ns for file in files if file.exists()), default=0)


def publish(warehouse: Path, options: Options, *, say: PrintLine) -> Path:
    """Writes the copy, and puts it in the place of the former one.

    Args:
        warehouse: the DuckDB file; nobody can write to it while its tables are copied.
        options: what the user asked.
        say: told one line at a time.

    Returns:
        The copy's DuckDB file.

    Raises:
        CharthouseError: the warehouse has no marts, or the folder cannot be written or is used for
            something else. A former copy is then still whole.
    """
    out = options.out or published_dir(warehouse)
    require_local("--out", out)
    try:
        with _claimed(out, warehouse):
            version = out / _VERSIONS / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
            version.mkdir(mode=0o700)
            try:
                told = _write(warehouse, version, options, partial(_unwritten, out))
                _seal(version, warehouse)
                _switch(out, version)
            finally:
                _sweep(out)
    except KeyboardInterrupt as interrupt:
        raise CharthouseError(
            f"{describe_interrupt(interrupt)}. A former copy is as it was."
        ) from None
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        raise CharthouseError(
            f"{warehouse}: a table or view of it is of an older clone"
            f" ({str(error).splitlines()[0]}). Run charthouse build."
        ) from None
    except OSError as error:
        raise _unwritten(out, str(error.strerror or error)) from None
    for line in told:
        say(line)
    say(f"{out / FILE} ({_megabytes(out / FILE)}), {out / PARQUET} ({_megabytes(out / PARQUET)})")
    return out / FILE


def _unwritten(out: Path, reason: str) -> CharthouseError:
    return CharthouseError(
        f"{out}: the copy cannot be written ({reason}). Free space there, or name another folder by"
        " --out. A former copy is whole."
    )


@contextmanager
def _claimed(out: Path, warehouse: Path) -> Iterator[None]:
    """The folder is ours alone; what a killed publish left there is gone.

    Without a copy at the end, it is left as it was found.
    """
    for path in _not_ours(out):
        raise CharthouseError(f"{path} is not of a published copy. Name another folder by --out.")
    is_own = not out.exists() or out == published_dir(warehouse)
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    (out / _VERSIONS).mkdir(parents=True, exist_ok=True)
    for folder in (out / _VERSIONS, *([out] * is_own)):
        with suppress(PermissionError):  # another's, who has let us write there
            # the umask keeps out those who may read the warehouse, and so the copy
            folder.chmod(_passable(_readable(warehouse)))
    with (out / _VERSIONS / _LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CharthouseError(
                f"{out}: another publish is writing there. Wait for it, then run again."
            ) from None
        try:
            _sweep(out)
            yield
        finally:
            if not os.path.lexists(out / _CURRENT):
                with suppress(OSError):  # of the disk, and of a folder that others use too
                    _clear(out, made)


def _clear(out: Path, made: Sequence[Path]) -> None:
    """Takes away what is ours where no copy is; the folders that were made, the innermost first."""
    for link in _LINKS:
        (out / link).unlink(missing_ok=True)
    if os.listdir(out / _VERSIONS) == [_LOCK]:
        (out / _VERSIONS / _LOCK).unlink()
        for folder in (out / _VERSIONS, *made):
            folder.rmdir()


def _not_ours(out: Path) -> Iterator[Path]:
    """What somebody else has put where a copy would be."""
    versions, lock = out / _VERSIONS, out / _VERSIONS / _LOCK
    places = {name: re.compile(re.escape(target)) for name, target in _LINKS.items()}
    places[_CURRENT] = re.compile(re.escape(f"{_VERSIONS}/") + _VERSION.pattern)
    for name, target in places.items():
        path = out / name
        if os.path.lexists(path) and not (
            path.is_symlink() and target.fullmatch(os.readlink(path))
        ):
            yield path
    if os.path.lexists(versions):
        # empty: of a publish that was killed before it had its lock, which is a file without bytes
        is_ours = versions.is_dir() and (
            (lock.is_file() and not lock.stat().st_size) or not any(versions.iterdir())
        )
        if versions.is_symlink() or not is_ours:
            yield versions


def _write(warehouse: Path, version: Path, options: Options, unwritten: WriteError) -> list[str]:
    """All files of a version, and what to say of them."""
    began = time.monotonic()
    with open_copy(warehouse, version / FILE, unwritten) as db:
        require_result_tables(db)
        ((is_synthetic, data_kind),) = db.execute(
            "select is_synthetic, data_kind from marts.cohort_definition"
        ).fetchall()
        kind = data_kind_of({"is_synthetic": is_synthetic, "data_kind": data_kind})
        keeps_text = kind == "synthetic" or options.with_text
        schemas = (*COPIED, *([EMBEDDINGS] * options.embeddings))
        texts = [] if options.with_text else free_text(db, schemas)
        less = [] if options.with_text else left_out(db, schemas, texts, of_cohort=keeps_text)
        tables = _tables(db, options, schemas, texts, of_cohort=keeps_text)
        _copy(db, tables)
        _describe_itself(db, modified_ns(warehouse), keeps_text, options.embeddings)
        db.execute("use warehouse")
        db.execute("detach source")  # from here on others can write to the warehouse
        held = time.monotonic() - began
        for table in (*tables, _Table(OWN, "copy")):
            (version / PARQUET / table.schema).mkdir(parents=True, exist_ok=True)
            file = version / PARQUET / table.schema / f"{table.name}.parquet"
            db.execute(
                f"copy {table.full_name} to {text_literal(file)} (format parquet, compression zstd)"
            )
        db.execute("checkpoint")  # closing would, and keep silent where the disk is full
    mark = f"{words}: " if (words := tag(kind)) else ""
    lines = [
        f"{mark}{len(tables)} tables in {time.monotonic() - began:.1f} s; the warehouse was held"
        f" for {held:.1f} s of these"
    ]
    if less:
        lines.append(f"free text is left out ({'; '.join(less)}); --with-text keeps it")
    return lines


def _tables(
    db: duckdb.DuckDBPyConnection,
    options: Options,
    schemas: Sequence[str],
    texts: Sequence[FreeText],
    *,
    of_cohort: bool,
) -> list[_Table]:
    """Tables and views of the warehouse that are copied; of the audit only its result.

    Args:
        db: of open_copy.
        options: what the user asked.
        schemas: those that are copied.
        texts: what is not copied of real patients.
        of_cohort: whether what is of the present cohort keeps its text.
    """
    found = db.execute(
        "select schema_name, table_name from duckdb_tables()"
        " where database_name = 'source' and schema_name in (select unnest($1))"
        " union all select schema_name, view_name from duckdb_views()"
        " where database_name = 'source' and schema_name in (select unnest($1))"
        " and not (schema_name = 'reports' and view_name like 'audit\\_%' escape '\\')"
        " order by all",
        [list(schemas)],
    ).fetchall()
    judged = {text.table: text.columns for text in texts if text.by_run}
    less = {text.table: text for text in texts if not text.by_run and not of_cohort}
    return [
        _Table(
            schema=table[0],
            name=table[1],
            left_out=tuple(
                {
                    *TWICE.get(table, ()),
                    *(less[table].columns if table in less else ()),
                }
            ),
            judged=judged.get(table, ()),
            rows=NO_WORDS if table == FITTED and not options.with_text else "true",
        )
        for table in found
        if table not in less or not less[table].is_all
    ]


def _copy(db: duckdb.DuckDBPyConnection, tables: Sequence[_Table]) -> None:
    """Views become tables; comments come along, constraints and indexes do not."""
    for schema in dict.fromkeys(table.schema for table in tables):
        db.execute(f"create schema warehouse.{schema}")
    for table in tables:
        without = ", ".join(f'"{name}"' for name in table.left_out)
        kept = ", ".join(f'case when {SYNTHETIC} then "{name}" end as "{name}"'
                         for name in table.judged)  # fmt: skip
        less, other = without and f"exclude ({without})", kept and f"replace ({kept})"
        db.execute("begin")  # one commit a table, not one a comment
        db.execute(
            f"create table warehouse.{table.full_name} as"
            f" select * {less} {other} from {table.full_name} where {table.rows}"
        )
        _comment(db, table)
        db.execute("commit")


def _comment(db: duckdb.DuckDBPyConnection, table: _Table) -> None:
    """What the warehouse says of a table or view, and of those of its columns that are copied."""
    where = "where database_name = 'source' and schema_name = $1"
    comments = db.execute(
        f"select 'table', null, comment from duckdb_tables() {where} and table_name = $2"
        f" union all select 'table', null, comment from duckdb_views() {where} and view_name = $2"
        f" union all select 'column', column_name, comment from duckdb_columns() {where}"
        " and table_name = $2 and column_name not in (select unnest($3::varchar[]))",
        [table.schema, table.name, list(table.left_out)],
    ).fetchall()
    for kind, column, words in comments:
        if words:
            of = f'{table.full_name}."{column}"' if column else table.full_name
            db.execute(f"comment on {kind} warehouse.{of} is {text_literal(words)}")


def _describe_itself(
    db: duckdb.DuckDBPyConnection, warehouse_modified_ns: int, has_text: bool, has_vectors: bool
) -> None:
    db.execute(f"create schema warehouse.{OWN}")
    db.execute(
        f"create table warehouse.{OWN}.copy (published_at timestamp, code_version varchar,"
        " warehouse_modified_ns bigint, has_text boolean, has_embeddings boolean)"
    )
    db.execute(
        f"insert into warehouse.{OWN}.copy values (?, ?, ?, ?, ?)",
        [
            datetime.now(UTC).replace(tzinfo=None),
            code_version(),
            warehouse_modified_ns,
            has_text,
            has_vectors,
        ],
    )
    db.execute(
        f"comment on table warehouse.{OWN}.copy is 'About this copy: when it was published, UTC,"
        " and what is in it. Grain: one row.'"
    )


def _seal(version: Path, warehouse: Path) -> None:
    """Nobody can write to the files, those who may read the warehouse may read them; on disk."""
    readable = _readable(warehouse)
    for path in sorted(version.rglob("*"), reverse=True):
        path.chmod(_passable(readable) if path.is_dir() else readable)
        _sync(path)
    version.chmod(_passable(readable))
    for folder in (version, version.parent):
        _sync(folder)


def _readable(warehouse: Path) -> int:
    """Who may read the warehouse, as a mode; its owner alone, if it is not there."""
    return warehouse.stat().st_mode & 0o444 if warehouse.exists() else 0o400


def _passable(readable: int) -> int:
    """Of a folder: its owner can change it, and who may read may pass."""
    return readable | readable >> 2 | 0o700


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _switch(out: Path, version: Path) -> None:
    """The new version takes the place of the former one, at once."""
    # DuckDB would read the log of a former version (root's, killed as it wrote there) with this one
    (out / f"{FILE}.wal").unlink(missing_ok=True)
    for link, target in (_LINKS | {_CURRENT: f"{_VERSIONS}/{version.name}"}).items():
        made = _half_made(out, link)
        made.unlink(missing_ok=True)
        made.symlink_to(target)
        os.replace(made, out / link)
    _sync(out)


def _sweep(out: Path) -> None:
    """Removes every version but the current one; what bears no name of ours stays."""
    current = (out / _CURRENT).resolve()
    for link in (*_LINKS, _CURRENT):
        _half_made(out, link).unlink(missing_ok=True)
    for path in (out / _VERSIONS).iterdir():
        if _VERSION.fullmatch(path.name) and path.resolve() != current:
            shutil.rmtree(path, ignore_errors=True)


def _half_made(out: Path, link: str) -> Path:
    """Where a link is before it takes its place."""
    return out / _VERSIONS / f"{link}.link"


def _megabytes(path: Path) -> str:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return f"{sum(file.stat().st_size for file in files) / 1e6:.1f} MB"

"""From a declared raw table and a file to its rows, or to the one line that refuses it."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from charthouse.core.errors import CharthouseError
from charthouse.core.project import RawColumn
from charthouse.data.raw.column_types import COLUMN_TYPES
from charthouse.data.raw.csv_file import CsvFile
from charthouse.data.raw.file_bytes import Hasher, require_file_kind
from charthouse.data.raw.parquet_file import ParquetFile


def require_columns(path: Path, columns: Sequence[RawColumn]) -> None:
    """Looks at a raw file's columns, and at no row.

    Raises:
        CharthouseError: the file cannot be read, or lacks a column, or has one twice.
    """
    _found(path, _opened(path, hashlib.sha256()).header, columns)


def _opened(path: Path, digest: Hasher) -> CsvFile | ParquetFile:
    return ParquetFile(path, digest) if path.suffix == ".parquet" else CsvFile(path, digest)


def _found(path: Path, header: Sequence[str], columns: Sequence[RawColumn]) -> dict[str, str]:
    """What the file calls each declared column, by its name in small letters.

    A name that was not declared may be a value, where a first line is missing: it is never printed.
    """
    if not header:
        raise CharthouseError(
            f"{path} is empty, damaged or not readable by you: it has no first line. Fetch it"
            " again, or correct its rights."
        )
    found = {name.lower(): name for name in header}
    for column in columns:
        if not column.optional and column.name.lower() not in found:
            raise CharthouseError(
                f"{path}: column {column.name} is missing. Fetch the file again, or rename the"
                " column back."
            )
    times = Counter(name.lower() for name in header if name)
    for name, n in times.items():
        if n > 1:
            declared = name in {column.name.lower() for column in columns}
            raise CharthouseError(
                f"{path}: {f'column {name}' if declared else 'a column'} stands {n} times. Keep one"
                " of them, or fetch the file again."
            )
    return {
        column.name.lower(): found[column.name.lower()]
        for column in columns
        if column.name.lower() in found
    }


def arrow_schema(columns: Sequence[RawColumn]) -> pa.Schema:
    """What the rows of a raw table look like: the declared columns, in small letters."""
    return pa.schema(
        [(column.name.lower(), COLUMN_TYPES[column.data_type].arrow) for column in columns]
    )


def read_rows(
    path: Path | None, columns: Sequence[RawColumn], digest: Hasher | None = None
) -> Iterator[pa.RecordBatch]:
    """The rows of a raw file, in the file's order; memory does not grow with it.

    Columns are found by name, without case, in any order; an optional one that is absent is null.

    Args:
        path: a .csv.gz, .csv or .parquet; None for no rows.
        columns: as _sources.yml declares them.
        digest: has had every byte of the file when the last row has come.

    Raises:
        CharthouseError: the file is not what was declared, or not whole. It says file, line (of
            Parquet: row) and column, and how to mend it; it never quotes a value.
    """
    if path is None:
        return
    before = _version(path)
    file = _opened(path, digest or hashlib.sha256())
    found = _found(path, file.header, columns)
    wanted = {
        found[column.name.lower()]: COLUMN_TYPES[column.data_type]
        for column in columns
        if column.name.lower() in found
    }
    schema = arrow_schema(columns)
    for batch in file.batches(wanted):
        arrays = [
            batch[found[field.name]]
            if field.name in found
            else pa.nulls(batch.num_rows, field.type)
            for field in schema
        ]
        yield pa.record_batch(arrays, schema=schema)
    if _version(path) != before:
        raise CharthouseError(f"{path} was changed while it was read. Run again.")


def _version(path: Path) -> tuple[int, int, int]:
    """Another one for every file that was written."""
    require_file_kind(path)
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns

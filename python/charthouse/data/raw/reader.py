"""Reads a raw file as declared, or refuses it in one line."""

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
    """Checks the columns of a raw file, without reading its rows.

    Raises:
        CharthouseError: The file cannot be read, lacks a column, or has one twice.
    """
    _found(path, _opened(path, hashlib.sha256()).header, columns)


def _opened(path: Path, digest: Hasher) -> CsvFile | ParquetFile:
    return ParquetFile(path, digest) if path.suffix == ".parquet" else CsvFile(path, digest)


def _found(path: Path, header: Sequence[str], columns: Sequence[RawColumn]) -> dict[str, str]:
    """The file's name for each declared column, by its lowercase name.

    An undeclared name may be a value, where the header is missing: it is never printed.
    """
    if not header:
        raise CharthouseError(
            f"{path} is empty, damaged or not readable by you: it has no first line. Fetch it"
            " again, or correct its rights."
        )
    found = {name.lower(): name for name in header}
    declared = {column.name.lower() for column in columns}
    for column in columns:
        if not column.optional and column.name.lower() not in found:
            raise CharthouseError(
                f"{path}: column {column.name} is missing. Fetch the file again, or rename the"
                " column back."
            )
    for name, n in Counter(name.lower() for name in header if name).items():
        if n > 1:
            which = f"column {name}" if name in declared else "a column"
            raise CharthouseError(
                f"{path}: {which} occurs {n} times. Keep one of them, or fetch the file again."
            )
    return {name: found[name] for name in declared & found.keys()}


def arrow_schema(columns: Sequence[RawColumn]) -> pa.Schema:
    """The schema of a raw table's rows: the declared columns, in lowercase."""
    return pa.schema(
        [(column.name.lower(), COLUMN_TYPES[column.data_type].arrow) for column in columns]
    )


def read_rows(
    path: Path | None, columns: Sequence[RawColumn], digest: Hasher | None = None
) -> Iterator[pa.RecordBatch]:
    r"""Reads the rows of a raw file, in the file's order and in constant memory.

    Columns are found by name, in any order and case. An optional column that is absent is null.

    Args:
        path: A .csv.gz, .csv or .parquet; None for no rows.
        columns: As _sources.yml declares them.
        digest: Has received every byte of the file once the last row has come.

    Yields:
        Batches of rows with the declared columns and types.

    Raises:
        CharthouseError: The file is not as declared, or not complete. The message names file, line
            (in Parquet: row) and column, and how to mend it. It never quotes a value.

    Example:
        >>> import tempfile
        >>> from charthouse.core.project import RawColumn
        >>> columns = [RawColumn("stay_id", "INTEGER", False), RawColumn("los", "DOUBLE", False)]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "icustays.csv")
        ...     _ = path.write_text("los,stay_id\n2.5,30000001\n")
        ...     [batch.to_pylist() for batch in read_rows(path, columns)]
        [[{'stay_id': 30000001, 'los': 2.5}]]
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
    """Identifies the file's state: it changes whenever the file is written."""
    require_file_kind(path)
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns

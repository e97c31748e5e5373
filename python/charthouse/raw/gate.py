"""From a declared raw table and a file to its rows, or to the one line that refuses it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from charthouse.errors import CharthouseError
from charthouse.project import RawColumn
from charthouse.raw.column_types import COLUMN_TYPES
from charthouse.raw.csv_file import csv_batches, csv_header
from charthouse.raw.parquet_file import parquet_batches, parquet_header

ENDINGS = (".csv.gz", ".csv", ".parquet")  # in the order in which macros/raw_files.sql tries them


def header_of(path: Path) -> list[str]:
    """Names of a raw file's columns, in order.

    Raises:
        CharthouseError: the file cannot be read, has no first line, or has a column twice.
    """
    header = parquet_header(path) if path.suffix == ".parquet" else csv_header(path)
    if not header:
        raise CharthouseError(
            f"{path} is empty, damaged or not readable by you: it has no first line. Fetch it"
            " again, or correct its rights."
        )
    for name, times in Counter(name.lower() for name in header if name).items():
        if times > 1:
            raise CharthouseError(
                f"{path}: column {name} stands {times} times. Keep one of them, or fetch the file"
                " again."
            )
    return header


def missing_columns(header: Sequence[str], columns: Sequence[RawColumn]) -> list[str]:
    """Names of the declared columns that must be there and are not."""
    there = {name.lower() for name in header}
    return [
        column.name
        for column in columns
        if not column.optional and column.name.lower() not in there
    ]


def schema_of(columns: Sequence[RawColumn]) -> pa.Schema:
    """What the rows of a raw table look like: the declared columns, in small letters."""
    return pa.schema(
        [(column.name.lower(), COLUMN_TYPES[column.data_type].arrow) for column in columns]
    )


def rows_of(path: Path | None, columns: Sequence[RawColumn]) -> Iterator[pa.RecordBatch]:
    """The rows of a raw file, in the file's order; memory does not grow with it.

    Columns are found by name, without case, in any order; an optional one that is absent is null.

    Args:
        path: a .csv.gz, .csv or .parquet; None for no rows.
        columns: as _staging__sources.yml declares them.

    Raises:
        CharthouseError: the file is not what was declared, or not whole. It says file, line (of
            Parquet: row) and column, and how to mend it; it never quotes a value.
    """
    if path is None:
        return
    header = header_of(path)
    in_file = {name.lower(): name for name in header}
    for name in missing_columns(header, columns):
        raise CharthouseError(
            f"{path}: column {name} is missing. Fetch the file again, or rename the column back."
        )
    found = [column for column in columns if column.name.lower() in in_file]
    wanted = {in_file[column.name.lower()]: COLUMN_TYPES[column.data_type] for column in found}
    batches = (
        parquet_batches(path, wanted)
        if path.suffix == ".parquet"
        else csv_batches(path, header, wanted)
    )
    schema = schema_of(columns)
    for batch in batches:
        arrays = [
            batch[in_file[field.name]]
            if field.name in in_file
            else pa.nulls(batch.num_rows, field.type)
            for field in schema
        ]
        yield pa.record_batch(arrays, schema=schema)

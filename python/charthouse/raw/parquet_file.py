"""A raw Parquet file as typed columns, by the rules of csv; memory is that of a row group."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from charthouse.errors import CharthouseError
from charthouse.raw.column_types import CORRECT, ColumnType
from charthouse.raw.damage import not_readable, require_kind

BATCH_ROWS = 1 << 16


def parquet_header(path: Path) -> list[str]:
    """Names of the columns, in order.

    Raises:
        CharthouseError: the file cannot be read.
    """
    return list(_opened(path).schema_arrow.names)


def parquet_batches(path: Path, wanted: Mapping[str, ColumnType]) -> Iterator[pa.RecordBatch]:
    """The rows of a Parquet file, in the file's order.

    Args:
        path: the file.
        wanted: columns, as they are called there, with the types that they are of.

    Raises:
        CharthouseError: the file is damaged, a column is of another type, or a value cannot become
            one of the declared type without a change: row and column.
    """
    file = _opened(path)
    for name, kind in wanted.items():
        if fault := kind.column_fault(file.schema_arrow.field(name).type):
            raise CharthouseError(f"{path}, column {name}: {fault.what}. {fault.mend}")
    first_row = 1
    try:
        for batch in file.iter_batches(BATCH_ROWS, columns=list(wanted)):
            columns = {
                name: _converted(path, name, batch[name], kind, first_row)
                for name, kind in wanted.items()
            }
            yield pa.record_batch(columns)
            first_row += batch.num_rows
    except (pa.ArrowException, OSError):
        raise CharthouseError(f"{path} is damaged. Write or fetch the file again.") from None
    finally:
        file.close()


def _opened(path: Path) -> pq.ParquetFile:
    require_kind(path)
    try:
        return pq.ParquetFile(path, page_checksum_verification=True)
    except pa.ArrowException:
        raise CharthouseError(
            f"{path} is cut, damaged or no Parquet file. Write or fetch the file again."
        ) from None
    except OSError as error:
        raise not_readable(path, error) from None


def _converted(
    path: Path, name: str, column: pa.Array, kind: ColumnType, first_row: int
) -> pa.Array:
    try:
        converted = column.cast(kind.arrow)  # refuses what would change: a fraction, an overflow
        converted.validate(full=True)  # that texts are UTF-8
    except pa.ArrowInvalid:
        row, what = _first_that_fails(column, kind)
        raise CharthouseError(
            f"{path}, row {first_row + row}, column {name}: {what}. {CORRECT}"
        ) from None
    return converted


def _first_that_fails(column: pa.Array, kind: ColumnType) -> tuple[int, str]:
    for row in range(len(column)):
        try:
            column.slice(row, 1).cast(kind.arrow).validate(full=True)
        except pa.ArrowInvalid:
            break
    if kind.arrow == pa.string():
        return row, "bytes that are not UTF-8"
    if pa.types.is_timestamp(kind.arrow):
        return row, "a time finer than a microsecond, or beyond all years"
    is_fraction = pa.types.is_floating(column.type) and not np.equal(
        np.mod(column[row].as_py(), 1), 0
    )
    return row, f"a number that {'is not whole' if is_fraction else f'is no {kind.name}'}"

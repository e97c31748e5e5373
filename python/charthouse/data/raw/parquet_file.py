"""A raw Parquet file as typed columns, by the same rules as csv.

Memory is that of its largest pages.
"""

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as compute
import pyarrow.parquet as pq

from charthouse.core.errors import CharthouseError
from charthouse.data.raw.column_types import CORRECT, NO_ZONE, ColumnType, within_years
from charthouse.data.raw.file_bytes import CHUNK_BYTES, Hasher, require_file_kind, unreadable_error

BATCH_ROWS = 1 << 14
BATCH_BYTES = 16 << 20  # by the mean of a row group
BUFFER_BYTES = 1 << 20  # of each column; without one Arrow reads a row group's column at once


class ParquetFile:
    """An open .parquet."""

    def __init__(self, path: Path, digest: Hasher) -> None:
        """Reads the schema. The digest receives the file's bytes after its last row.

        Raises:
            CharthouseError: The file cannot be read.
        """
        require_file_kind(path)
        self._path, self._digest = path, digest
        try:
            self._file = pq.ParquetFile(
                path,
                buffer_size=BUFFER_BYTES,
                pre_buffer=False,  # of a whole row group
                page_checksum_verification=True,
            )
            self.header = list(self._file.schema_arrow.names)
        except (pa.ArrowException, UnicodeDecodeError):
            raise self._damaged() from None
        except OSError as error:  # Arrow has no other for a schema that it cannot decode
            raise (unreadable_error(path, error) if error.errno else self._damaged()) from None

    def batches(self, wanted: Mapping[str, ColumnType]) -> Iterator[pa.RecordBatch]:
        """The rows, in the file's order.

        Args:
            wanted: Columns, as the file names them, with their declared types.

        Raises:
            CharthouseError: The file is damaged, a column is of another type, or a value cannot be
                converted exactly; names row and column.
        """
        for name, kind in wanted.items():
            self._require_type(name, kind)
        rows = 0
        try:
            for batch in self._read(list(wanted)):
                columns = {name: _converted(batch[name], kind) for name, kind in wanted.items()}
                for name, column in columns.items():
                    if column is None:
                        row, what = _first_that_fails(batch[name], wanted[name])
                        raise CharthouseError(
                            f"{self._path}, row {rows + row + 1}, column {name}: {what}. {CORRECT}"
                        )
                yield pa.record_batch(columns)
                rows += batch.num_rows
        except (pa.ArrowException, OSError):
            raise self._damaged() from None
        finally:
            self._file.close()
        if rows != self._file.metadata.num_rows:
            raise self._damaged()
        with self._path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                self._digest.update(chunk)

    def _read(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """The rows, few at a time where they hold long texts."""
        for at in range(self._file.metadata.num_row_groups):
            # its columns are not inspected: on a damaged footer Arrow would end the process
            group = self._file.metadata.row_group(at)
            rows = BATCH_BYTES * group.num_rows // max(group.total_byte_size, 1)
            rows = min(max(rows, 1), BATCH_ROWS)
            yield from self._file.iter_batches(rows, row_groups=[at], columns=columns)

    def _damaged(self) -> CharthouseError:
        return CharthouseError(
            f"{self._path} is cut, damaged or no Parquet file. Write or fetch it again."
        )

    def _require_type(self, name: str, kind: ColumnType) -> None:
        fault = kind.column_fault(self._file.schema_arrow.field(name).type)
        if fault:
            raise CharthouseError(f"{self._path}, column {name}: {fault.what}. {fault.mend}")
        schema = self._file.schema
        columns = (schema.column(at) for at in range(len(schema)))
        # which does not say which clock it shows
        if any(column.path == name and column.physical_type == "INT96" for column in columns):
            raise CharthouseError(
                f"{self._path}, column {name}: times of the old type INT96, which are those of a"
                f" zone. {NO_ZONE}"
            )


def _converted(column: pa.Array, kind: ColumnType) -> pa.Array | None:
    """The column as the declared type; None where a value would change."""
    try:
        made = column.cast(kind.arrow)  # refuses a fraction, and what is too large
        made.validate(full=True)  # that texts are UTF-8
    except pa.ArrowInvalid:
        return None
    if pa.types.is_temporal(kind.arrow):
        return made if within_years(made) else None
    if kind.arrow == pa.string():  # in a csv, what is empty is missing
        is_empty = compute.equal(made, "")
        if compute.any(is_empty).as_py():
            return compute.if_else(is_empty, pa.scalar(None, pa.string()), made)
    return made


def _first_that_fails(column: pa.Array, kind: ColumnType) -> tuple[int, str]:
    row = next(row for row in range(len(column)) if _converted(column.slice(row, 1), kind) is None)
    if kind.arrow == pa.string():
        return row, "bytes that are not UTF-8"
    if pa.types.is_date(kind.arrow):
        return row, "a date of no year from 1 to 9999"
    if pa.types.is_timestamp(kind.arrow):
        return row, "a time finer than a microsecond, or of no year from 1 to 9999"
    value = column[row].as_py()
    is_whole = not isinstance(value, float | Decimal) or (math.isfinite(value) and value % 1 == 0)
    return row, f"a number that {f'is no {kind.name}' if is_whole else 'is not whole'}"

"""A raw table as an object that DuckDB can scan like a table."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from charthouse.core.duckdb_errors import mark_as_safe
from charthouse.core.errors import CharthouseError
from charthouse.core.project import RawColumn
from charthouse.data.raw.reader import arrow_schema, read_rows


class RawStream:
    """The rows of a raw file, read while DuckDB scans them.

    It implements Arrow's PyCapsule interface: register it on a connection and select from it. A
    file that is refused makes the scan fail, and charthouse.core.duckdb_errors keeps the refusal's
    own line.
    """

    def __init__(self, columns: Sequence[RawColumn], find: Callable[[], Path | None]) -> None:
        """Prepares the stream of columns that _sources.yml declares; no file is read.

        `find` finds the file, at each scan; None is no rows.
        """
        self._columns = columns
        self._schema = arrow_schema(columns)
        self._find = find
        self._sha256: str | None = None

    def sha256(self) -> str | None:
        """SHA-256, in hex, of the file that the last scan read; None if it was cut short."""
        return self._sha256

    def __arrow_c_schema__(self) -> object:
        """The declared columns; no file is read."""
        return self._schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Starts a scan."""
        self._sha256 = None
        reader = pa.RecordBatchReader.from_batches(self._schema, self._rows())
        return reader.__arrow_c_stream__(requested_schema)

    def _rows(self) -> Iterator[pa.RecordBatch]:
        digest = hashlib.sha256()
        try:
            path = self._find()
            yield from read_rows(path, self._columns, digest)
        except CharthouseError as error:
            raise mark_as_safe(error) from None
        if path is not None:
            self._sha256 = digest.hexdigest()

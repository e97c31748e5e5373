"""A raw table as an object that DuckDB scans like a table of its own."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from charthouse.errors import CharthouseError
from charthouse.project import RawColumn
from charthouse.raw.gate import rows_of, schema_of


class RawStream:
    """The rows of whichever file is opened, made while DuckDB asks for them.

    By Arrow's PyCapsule interface, which DuckDB knows: register it on a connection, open a file,
    select from it once, and then ask for the refusal. Rows end early where a file is refused, since
    DuckDB would phrase an error of the scan. What was selected counts only without a refusal.
    """

    def __init__(self, columns: Sequence[RawColumn]) -> None:
        """Args: columns: as _sources.yml declares them."""
        self._columns = columns
        self._schema = schema_of(columns)
        self._path: Path | None = None
        self._digest = hashlib.sha256()
        self._refusal: str | None = None

    def open(self, path: Path | None) -> None:
        """Names the file for the next scan; None for no rows."""
        self._path = path
        self._digest = hashlib.sha256()
        # until the end is reached: whatever else ends a scan must not count as the whole file
        self._refusal = f"{path} was not read to its end. Run again, or report this."

    def sha256(self) -> str | None:
        """Of the file that the last scan has read, in hex; None where its rows do not count."""
        return None if self._refusal else self._digest.hexdigest()

    def refusal(self) -> str | None:
        """Why the rows of the last scan are not those of a whole, right file; None if they are."""
        return self._refusal

    def __arrow_c_schema__(self) -> object:
        """The declared columns; no file is looked at."""
        return self._schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """A scan."""
        reader = pa.RecordBatchReader.from_batches(self._schema, self._rows())
        return reader.__arrow_c_stream__(requested_schema)

    def _rows(self) -> Iterator[pa.RecordBatch]:
        try:
            yield from rows_of(self._path, self._columns, self._digest)
        except CharthouseError as error:
            self._refusal = str(error)
        else:
            self._refusal = None

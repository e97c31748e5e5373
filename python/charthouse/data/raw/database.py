"""The raw files as a database beside the warehouse, to which dbt's sources refer.

raw_files.mimiciv_hosp.patients is the file hosp/patients. It is read and checked whenever a query
scans it: for a model, for `dbt show`, or for the columns that a unit test needs.
"""

import json
from collections.abc import Iterable
from functools import partial

import duckdb
from duckdb.func import SPECIAL

from charthouse.core.errors import CharthouseError
from charthouse.core.local_paths import RAW_DATABASE
from charthouse.core.project import RawTable
from charthouse.core.synthetic_marker import has_marker, why_not_synthetic
from charthouse.data.raw.files import find_raw_file, is_copy_of, origin_line, root_folder
from charthouse.data.raw.reader import require_columns
from charthouse.data.raw.stream import RawStream


class RawDatabase:
    """One view per raw table, and SQL functions that answer macros' questions about the files."""

    def __init__(self, tables: Iterable[RawTable]) -> None:
        """Prepares the views of all declared raw tables; no file is read."""
        self._tables = {table.relation: table for table in tables}
        self._streams = {
            name: RawStream(table.columns, partial(find_raw_file, table))
            for name, table in self._tables.items()
        }

    def attach(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Attaches the database to a connection to the warehouse, and creates the functions there.

        Each function takes the name of a table, <source>__<table>.

        raw_file(table): JSON with the file's path (null where its source is absent) and origin (see
        charthouse.data.raw.files), or with the refusal, where the file or one of its columns is
        missing. is_raw_origin(table, comment): whether a copy with that comment still holds the
        file's content. raw_sha256(table): SHA-256, in hex, of the file that the last scan read; ''
        where it did not read everything. why_not_synthetic(table, sha256): why a table does not
        count as synthetic; null where it does, '' where there is no marker.
        """
        connection.execute(f"attach if not exists ':memory:' as {RAW_DATABASE}")
        self.register(connection)
        for name, table in self._tables.items():
            schema = f'{RAW_DATABASE}."{table.source}"'
            connection.execute(f"create schema if not exists {schema}")
            connection.execute(
                f'create or replace view {schema}."{table.name}" as from temp.main."{name}"'
            )
        for function in (self.raw_file, self.is_raw_origin, self.raw_sha256):
            connection.create_function(function.__name__, function, side_effects=True)
        connection.create_function(
            "why_not_synthetic", self.why_not_synthetic, side_effects=True, null_handling=SPECIAL
        )

    def register(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Registers what the views read; each cursor needs it."""
        for name, stream in self._streams.items():
            cursor.register(name, stream)

    def raw_file(self, table: str) -> str:
        """The SQL function raw_file; see attach."""
        try:
            file = find_raw_file(self._tables[table])
            if file is not None:
                require_columns(file, self._tables[table].columns)
            return json.dumps({"path": file and str(file), "origin": origin_line(file)})
        except CharthouseError as error:
            return json.dumps({"refusal": str(error)})

    def is_raw_origin(self, table: str, comment: str) -> bool:
        """The SQL function is_raw_origin; see attach."""
        return is_copy_of(find_raw_file(self._tables[table]), comment)

    def raw_sha256(self, table: str) -> str:
        """The SQL function raw_sha256; see attach."""
        return self._streams[table].sha256() or ""

    def why_not_synthetic(self, table: str, sha256: str) -> str | None:
        """The SQL function why_not_synthetic; see attach."""
        root, file = root_folder(self._tables[table]), find_raw_file(self._tables[table])
        if root is None or file is None or not has_marker(root):
            return ""
        return why_not_synthetic(root, {file.relative_to(root).as_posix(): sha256})

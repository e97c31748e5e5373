"""Writes small and medium tables as .csv.gz in one go."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from charthouse.synth.gzip_writer import GzipWriter


def write_table(path: Path, table: pa.Table, pool: ThreadPoolExecutor) -> int:
    """Write a table whose texts hold no comma, quote or newline; returns its number of rows.

    Nulls and NaT become empty fields, times `YYYY-MM-DD HH:MM:SS`, dates `YYYY-MM-DD`.
    """
    buffer = io.BytesIO()
    options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="none")
    pyarrow.csv.write_csv(table, buffer, options)
    with GzipWriter(path, pool) as out:
        out.write((",".join(table.column_names) + "\n").encode())
        out.write(buffer.getvalue())
    return int(table.num_rows)


def csv_quoted(text: str) -> str:
    """A text field in quotes, with inner quotes doubled."""
    return '"' + text.replace('"', '""') + '"'

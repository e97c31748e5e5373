"""Writes .csv.gz: one gzip member on several threads, the same bytes whatever their number.

zlib releases the interpreter lock, so blocks are deflated in a small pool. Each block ends with
a full byte (`Z_SYNC_FLUSH`) and starts without history, so the blocks simply follow one another
in one ordinary gzip stream, which every reader takes.
"""

import csv
import io
import struct
import zlib
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.csv

from charthouse.core.synthetic_marker import GZIP_NAME

# deflate, a name follows, mtime 0, fastest, unknown OS
HEADER = b"\x1f\x8b\x08\x08\x00\x00\x00\x00\x04\xff"
BLOCK_BYTES = 4 << 20
LEVEL = 1
AHEAD = 6  # blocks in flight, which bounds the memory


def _deflate(block: bytes | memoryview, flush: int) -> bytes:
    squeeze = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return squeeze.compress(block) + squeeze.flush(flush)


class GzipWriter:
    """A gzip file that deflates in a pool and writes in order, a few blocks ahead at most."""

    def __init__(self, path: Path, pool: ThreadPoolExecutor) -> None:
        """The header says that what was packed is synthetic, whatever the file is called later."""
        self._file = path.open("wb")
        self._file.write(HEADER + f"{GZIP_NAME}{path.stem}\0".encode())
        self._pool = pool
        self._flying: deque[Future[bytes]] = deque()
        self._crc = self._size = 0

    def write(self, data: bytes | memoryview) -> None:
        """Add bytes. The buffer must not change afterwards."""
        view = memoryview(data).cast("B")
        self._crc = zlib.crc32(view, self._crc)
        self._size += len(view)
        for at in range(0, len(view), BLOCK_BYTES):
            block = view[at : at + BLOCK_BYTES]
            self._flying.append(self._pool.submit(_deflate, block, zlib.Z_SYNC_FLUSH))
            self._land(AHEAD)

    def _land(self, leave: int) -> None:
        while len(self._flying) > leave:
            self._file.write(self._flying.popleft().result())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        with self._file:
            if kind is None:
                self._land(0)
                self._file.write(_deflate(b"", zlib.Z_FINISH))
                self._file.write(struct.pack("<II", self._crc, self._size & 0xFFFFFFFF))
            for future in self._flying:
                future.cancel()


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


def write_dictionary(
    path: Path, names: Sequence[str], rows: Sequence[Sequence[object]], pool: ThreadPoolExecutor
) -> int:
    """Write a small table of any texts, quoted where they need it; returns its number of rows."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([names, *rows])
    with GzipWriter(path, pool) as out:
        out.write(text.getvalue().encode())
    return len(rows)


def csv_quoted(text: str) -> str:
    """A text field in quotes, with inner quotes doubled."""
    return '"' + text.replace('"', '""') + '"'

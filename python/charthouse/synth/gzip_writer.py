"""Write one gzip member on several threads, the same bytes whatever their number.

zlib releases the interpreter lock, so blocks are deflated in a small pool. Each block ends with
a full byte (`Z_SYNC_FLUSH`) and starts without history, so the blocks simply follow one another
in one ordinary gzip stream, which every reader takes.
"""

from __future__ import annotations

import struct
import zlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from charthouse.core.synthetic_marker import GZIP_NAME

# deflate, a name follows, mtime 0, fastest, unknown OS
HEADER = b"\x1f\x8b\x08\x08\x00\x00\x00\x00\x04\xff"
BLOCK_BYTES = 4 << 20
LEVEL = 1


def _deflate(block: bytes | memoryview, flush: int) -> bytes:
    squeeze = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return squeeze.compress(block) + squeeze.flush(flush)


class GzipWriter:
    """A gzip file that deflates in a pool and writes in order, a few blocks ahead at most."""

    def __init__(self, path: Path, pool: ThreadPoolExecutor, ahead: int = 6) -> None:
        """Open ``path`` for writing; ``ahead`` bounds the blocks in flight (memory).

        The header says that what was packed is synthetic, whatever the file is called later.
        """
        self._file = path.open("wb")
        self._file.write(HEADER + f"{GZIP_NAME}{path.stem}\0".encode())
        self._pool = pool
        self._ahead = ahead
        self._flying: deque[Future[bytes]] = deque()
        self._crc = 0
        self._size = 0

    def write(self, data: bytes | memoryview) -> None:
        """Add bytes. The buffer must not change afterwards."""
        view = memoryview(data).cast("B")
        self._crc = zlib.crc32(view, self._crc)
        self._size += len(view)
        for at in range(0, len(view), BLOCK_BYTES):
            block = view[at : at + BLOCK_BYTES]
            self._flying.append(self._pool.submit(_deflate, block, zlib.Z_SYNC_FLUSH))
            self._land(self._ahead)

    def _land(self, leave: int) -> None:
        while len(self._flying) > leave:
            self._file.write(self._flying.popleft().result())

    def close(self) -> None:
        """Write what is in flight and the trailer."""
        self._land(0)
        self._file.write(_deflate(b"", zlib.Z_FINISH))
        self._file.write(struct.pack("<II", self._crc, self._size & 0xFFFFFFFF))
        self._file.close()

    def __enter__(self) -> GzipWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
            return
        for future in self._flying:
            future.cancel()
        self._file.close()

"""The bytes of a raw file, decompressed once, with the checksum of each gz verified.

DuckDB notices a truncated gz, but not a wrong checksum: of 150 single bits flipped in a gz of
chartevents, 8 became other values without any error. And zlib decompresses at half the speed of
isal.
"""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, cast

from isal import igzip
from isal.igzip_lib import IsalError

from charthouse.core.errors import CharthouseError

CHUNK_BYTES = 8 << 20


class Hasher(Protocol):
    """A hash object, as in hashlib."""

    def update(self, data: Any, /) -> None:
        """Adds bytes."""


# isal declares its error as if it were no class
_DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error, cast("type[Exception]", IsalError))

_GZ = b"\x1f\x8b"
_BEHIND = "damaged: other bytes follow the end of its gz"
_OTHERS = {
    b"PK\x03\x04": "a zip",
    b"\x28\xb5\x2f\xfd": "a zstd",
    b"\xfd7zXZ": "an xz",
    b"BZh": "a bzip2",
    b"7z\xbc\xaf": "a 7z",
    b"\x04\x22\x4d\x18": "an lz4",
    b"PAR1": "a Parquet file",
    b"SQLite format 3": "a SQLite file",
    b"\xff\xfe\0\0": "UTF-32 text",  # before what it begins with
    b"\0\0\xfe\xff": "UTF-32 text",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    _GZ: "a gz",
}


class _Hashed(io.RawIOBase):
    """A file that updates a digest as it is read."""

    def __init__(self, file: io.FileIO, digest: Hasher) -> None:
        super().__init__()
        self._file, self._digest = file, digest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        n = self._file.readinto(buffer)
        self._digest.update(memoryview(buffer)[:n])
        return n


class _Inflated(igzip.IGzipFile):
    """A gz that decompresses directly into the buffer; gzip.GzipFile's own readinto copies."""

    def readinto(self, buffer: Any) -> int:
        return int(self._buffer.readinto(buffer))


@contextmanager
def open_text(path: Path, digest: Hasher) -> Iterator[io.BufferedIOBase]:
    """Opens a .csv or .csv.gz as a file of its text.

    Args:
        path: The file.
        digest: Receives every byte of the file itself, until its text has been read to the end.

    Raises:
        CharthouseError: The file is truncated, damaged, unreadable, or not of the type that its
            ending says. It is raised where reading shows it, at the end of the with statement.
    """
    require_file_kind(path)
    try:
        with path.open("rb", buffering=0) as file:
            hashed = _Hashed(file, digest)
            is_gz = path.suffix == ".gz"
            yield _Inflated(fileobj=hashed, mode="rb") if is_gz else io.BufferedReader(hashed)
    except _DAMAGE:
        raise CharthouseError(
            f"{path} is {gzip_fault(path) or 'damaged'}. Fetch it again."
        ) from None
    except OSError as error:
        raise unreadable_error(path, error) from None


def detect_kind(begins: bytes | bytearray) -> str | None:
    """The type of a file that begins with these bytes; None where it may be a csv.

    Example:
        >>> detect_kind(b"PAR1....")
        'a Parquet file'
    """
    return next((name for magic, name in _OTHERS.items() if begins.startswith(magic)), None)


def require_file_kind(path: Path) -> None:
    """Stops at a file whose first bytes contradict its ending.

    Raises:
        CharthouseError: The file is of another type, or cannot be read.
    """
    if not path.is_file():
        raise CharthouseError(f"{path} is missing, or no file. Correct its folder.")
    try:
        with path.open("rb") as file:
            begins = file.read(16)
    except OSError as error:
        raise unreadable_error(path, error) from None
    by_ending = {".gz": ("gz", _GZ), ".parquet": ("Parquet file", b"PAR1")}
    kind, expected = by_ending.get(path.suffix, ("csv", b""))
    found = detect_kind(begins)
    if not begins or (expected and begins.startswith(expected)) or not (expected or found):
        return
    is_text = begins.isascii() and begins.decode("ascii").strip("\t\r\n").isprintable()
    what = found or ("plain text" if is_text else "something else")
    raise CharthouseError(f"{path} is {what} and no {kind}. Fetch it again, or write it as {kind}.")


def unreadable_error(path: Path, error: OSError) -> CharthouseError:
    """The error for a file that the operating system does not let us read."""
    return CharthouseError(
        f"{path} is not readable ({error.strerror or 'its disk does not answer'}). Correct its"
        " rights, or look at its disk."
    )


def gzip_fault(path: Path) -> str | None:
    """What is wrong with a gz that could not be decompressed, found by zlib; None if nothing is."""
    whole = 0
    member = zlib.decompressobj(wbits=31)  # 31: a gzip header, and its checksum is verified
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                while chunk:
                    if member.eof:  # several members may follow one another, and zeros the last
                        whole += 1
                        chunk = chunk.lstrip(b"\0")
                        if not chunk:
                            break
                        if chunk[0] != _GZ[0]:
                            return _BEHIND
                        member = zlib.decompressobj(wbits=31)
                    member.decompress(chunk)
                    chunk = member.unused_data
    except zlib.error as error:
        if whole and "header" in str(error):
            return _BEHIND
        return "damaged: its checksum is wrong" if "data check" in str(error) else "damaged"
    return None if member.eof else "cut short"

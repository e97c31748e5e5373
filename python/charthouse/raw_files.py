"""What SQL cannot see of a raw file: its header, without an error that quotes a row; is a gz whole?

DuckDB notices a gz that was cut, but does not look at the checksum: of 150 single bits flipped in a
gz of chartevents, 8 became other values without any error. So the checksum is computed while DuckDB
reads: beside it, from the same pages of the disk's cache.
"""

import gzip
import threading
import zlib
from pathlib import Path

CHUNK_BYTES = 1 << 20


def csv_header(path: Path) -> list[str]:
    """Names of the columns of a .csv or .csv.gz, in order; none where there is no first line.

    A column without a name gets one (column_0 and so on), as a table needs it.

    Raises:
        OSError, EOFError, zlib.error: the file cannot be read.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as file:
        line = file.readline().decode("utf-8-sig", errors="replace").strip()
    if not line:
        return []
    names = [name.strip().strip('"') for name in line.split(",")]
    return [name or f"column_{position}" for position, name in enumerate(names)]


def gzip_fault(path: Path) -> str | None:
    """What is wrong with a gz file, read to its end; None where nothing is.

    Memory stays at about ten times CHUNK_BYTES.
    """
    member = zlib.decompressobj(wbits=31)  # 31: a gzip header, and its checksum is verified
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                while chunk:
                    if member.eof:  # several members may follow one another
                        member = zlib.decompressobj(wbits=31)
                    member.decompress(chunk)
                    chunk = member.unused_data
    except zlib.error as error:
        return "damaged: its checksum is wrong" if "data check" in str(error) else "damaged"
    except OSError as error:
        return f"not readable ({error.strerror})"
    return None if member.eof else "cut short"


class BackgroundCheck:
    """gzip_fault in a thread, which an early end of the process does not wait for."""

    def __init__(self, path: Path) -> None:
        """Starts at once."""
        # until the end is reached: whatever else ends the thread must not count as passed
        self._fault: str | None = "not known to be whole (its check broke off)"
        self._thread = threading.Thread(target=self._run, args=(path,), daemon=True)
        self._thread.start()

    def _run(self, path: Path) -> None:
        self._fault = gzip_fault(path)

    def result(self) -> str | None:
        """Waits for the end of the file; the fault, or None."""
        self._thread.join()
        return self._fault

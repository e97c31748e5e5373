"""Which file a raw table is in, and whether a copy that was made of it is still of that file."""

import os
import re
from pathlib import Path

from charthouse.core.errors import CharthouseError
from charthouse.core.local_paths import require_local
from charthouse.core.project import RawTable
from charthouse.core.synthetic_marker import sha256_of

ENDINGS = (".csv.gz", ".csv", ".parquet")

_READ = re.compile(r"; bytes (\d+); .* SHA-256 ([0-9a-f]{64})\.$", re.MULTILINE)


def root_folder(table: RawTable) -> Path | None:
    """The folder that the environment names for a table; None where it may be absent and is.

    Raises:
        CharthouseError: none is named, or it is not on this machine.
    """
    named = os.environ.get(table.root, "")
    if named:
        require_local(table.root, named)
        return Path(named)
    if table.optional:
        return None
    raise CharthouseError(
        f"{table.root} is not set: it names the folder of {table.title}. Run: export"
        f" {table.root}=/path/to/{table.title} (or make demo, which needs no data)."
    )


def find_raw_file(table: RawTable) -> Path | None:
    """The file of a table, in whichever of the three forms; None where its source is absent.

    Raises:
        CharthouseError: as root_folder; or no file is there, or several are.
    """
    root = root_folder(table)
    if root is None:
        return None
    folder = root / table.folder
    stem = folder / table.name
    there = [file for ending in ENDINGS if os.path.isfile(file := Path(f"{stem}{ending}"))]
    if len(there) > 1:
        times = "twice" if len(there) == 2 else "three times"
        names = " and ".join(file.name for file in there)
        raise CharthouseError(f"{stem} stands there {times}: {names}. Keep one of them.")
    if there:
        return there[0]
    if _is_empty(folder):
        raise CharthouseError(
            f"{folder} is missing, empty or not readable by you. Correct {table.root}, or the"
            " rights of the folder (ls -ld)."
        )
    raise CharthouseError(
        f"{stem}.csv.gz is missing (nor is there a .csv or .parquet). Fetch it from PhysioNet, or"
        f" correct {table.root}."
    )


def _is_empty(folder: Path) -> bool:
    try:
        return not any(folder.iterdir())
    except OSError:
        return True


def origin_line(file: Path | None) -> str:
    """A line that is another one for any other file, and the same however the path is spelled.

    It stands in the comment of a copy, the SHA-256 of what was read behind it.

    Raises:
        OSError: the file is gone.
    """
    if file is None:
        return "Source not set; no rows."
    found = file.stat()
    # quoted: a folder may have a line break in its name
    return (
        f"Read from {str(file.resolve())!r}; bytes {found.st_size}; modified {found.st_mtime_ns};"
        f" changed {found.st_ctime_ns}."
    )


def is_copy_of(file: Path | None, comment: str) -> bool:
    """Whether a copy with this comment holds what the file does.

    Where the file was moved, copied or touched, its bytes are looked at, if there are as many: that
    takes a small part of the time of reading it.
    """
    try:
        is_same, read = origin_line(file) in comment, _READ.search(comment)
        if is_same or file is None or read is None:
            return is_same and bool(file is None or read)
        return int(read[1]) == file.stat().st_size and sha256_of(file) == read[2]
    except OSError:  # the gate says why
        return False

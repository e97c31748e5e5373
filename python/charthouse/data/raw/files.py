"""Which file holds a raw table, and whether a copy of the table is still up to date."""

import os
import re
from contextlib import suppress
from pathlib import Path

from charthouse.core.errors import CharthouseError
from charthouse.core.local_paths import require_local
from charthouse.core.project import RawTable
from charthouse.core.synthetic_marker import sha256_of

ENDINGS = (".csv.gz", ".csv", ".parquet")

_READ = re.compile(r"; bytes (\d+); .* SHA-256 ([0-9a-f]{64})\.$", re.MULTILINE)


def root_folder(table: RawTable) -> Path | None:
    """The folder that the environment names for a table; None where an optional source is absent.

    Raises:
        CharthouseError: The variable is not set, or its path is not local.
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
    """The file of a table, in any of the three formats; None where it is absent and may be.

    Raises:
        CharthouseError: As for root_folder; or there is no such file, or more than one.
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
        raise CharthouseError(f"{stem} exists {times}: {names}. Keep one of them.")
    if there:
        return there[0]
    with suppress(OSError):
        if any(folder.iterdir()):
            if table.file_optional:
                return None
            raise CharthouseError(
                f"{stem}.csv.gz is missing (nor is there a .csv or .parquet). Fetch it from"
                f" PhysioNet, or correct {table.root}."
            )
    raise CharthouseError(
        f"{folder} is missing, empty or not readable by you. Correct {table.root}, or the"
        " rights of the folder (ls -ld)."
    )


def origin_line(file: Path | None) -> str:
    """A line that identifies a file's content, however its path is spelled.

    It is part of the comment of a copy, followed by the SHA-256 of what was read.

    Raises:
        OSError: The file no longer exists.
    """
    if file is None:
        return "No such file; no rows."
    found = file.stat()
    # quoted: a folder may have a line break in its name
    return (
        f"Read from {str(file.resolve())!r}; bytes {found.st_size}; modified {found.st_mtime_ns};"
        f" changed {found.st_ctime_ns}."
    )


def is_copy_of(file: Path | None, comment: str) -> bool:
    """Whether a copy with this comment still holds the file's content.

    If the file was moved, copied or touched, its hash is compared, provided that its size is
    unchanged. That takes a small part of the time of reading it.
    """
    try:
        is_same, read = origin_line(file) in comment, _READ.search(comment)
        if is_same or file is None or read is None:
            return is_same and bool(file is None or read)
        return int(read[1]) == file.stat().st_size and sha256_of(file) == read[2]
    except OSError:  # the reader says why
        return False

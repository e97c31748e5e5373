"""The marker of `charthouse synth`, and whether the files beside it are still those it lists.

SYNTHETIC.txt lists the SHA-256 of each file below its folder, in the format of `sha256sum` (lines
with # are for people). It is trusted only where no file was added, changed or removed, and where
the data say so themselves: the gzip header of each table names SYNTHETIC-<table>.csv, the JPEG
comment of each picture and the header of each ECG contain the word, and each report begins with
it. A marker that was copied beside real data, or written by hand, therefore makes nothing
synthetic. The gzip header vouches only for the first member of a file; the SHA-256 covers all of
it.
"""

import hashlib
import os
import re
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from functools import cached_property
from pathlib import Path

from charthouse.core.errors import CharthouseError

MARKER = "SYNTHETIC.txt"
GZIP_NAME = "SYNTHETIC-"
"""How the name begins that the gzip header of a synthetic table gives (RFC 1952, FNAME)."""

PICTURE_COMMENT = b"SYNTHETIC, NOT A REAL PATIENT"
"""The JPEG comment of a synthetic X-ray, and a comment line in the header of a synthetic ECG."""

ADVICE = "Make the data again with charthouse synth"

_LISTED = re.compile(r"([0-9a-f]{64}) [ *](.+)")
_HAS_NAME = b"\x1f\x8b\x08\x08"  # gzip, deflate, and a name is the one field of the header
_FIXED_HEADER = 10  # bytes before that name


class NotSynthetic(Exception):
    """The marker cannot be trusted; the message says why."""


def write_marker(folder: Path, words: str, pool: Executor) -> None:
    """Writes SYNTHETIC.txt with the hash of every file in the folder, below words for people."""
    names = sorted(_files_below(folder))
    sums = pool.map(lambda name: sha256_of(folder / name), names)
    lines = [f"# {line}" for line in words.splitlines()]
    lines += [f"{sum_}  {name}" for sum_, name in zip(sums, names, strict=True)]
    (folder / MARKER).write_text("\n".join(lines) + "\n", encoding="utf-8")


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_regular(path: Path) -> bool:
    """Whether the path is a regular file. Opening a pipe or device could block for ever.

    Raises:
        OSError: The file does not exist, or may not be accessed.
    """
    return stat.S_ISREG(path.stat().st_mode)


def has_marker(root: Path) -> bool:
    """Whether a folder claims to be synthetic."""
    return os.path.lexists(root / MARKER)


def why_not_synthetic(root: Path, sums: Mapping[str, str]) -> str | None:
    """Why a folder is not what its marker claims; None where the claim holds.

    Args:
        root: The folder.
        sums: The SHA-256, in hex, of each table as it was read, by its name below the folder.

    Returns:
        One line without its full stop: which file, what differs, and how to mend it.
    """
    try:
        listed = _listed(root)
        there = set(_files_below(root))
        for name in sorted(there - listed.keys()):
            raise NotSynthetic(f"{MARKER} does not list {name!a}, which is beside it")
        for name in sorted(listed.keys() - there):
            raise NotSynthetic(f"{MARKER} lists {name!a}, which is not there")
        for name, found in sums.items():
            if listed.get(name) != found:
                raise NotSynthetic(f"{name!a} is not the file that {MARKER} lists")
            if not _says_so(root / name):
                raise NotSynthetic(f"{name!a} does not say itself that it is synthetic")
    except NotSynthetic as why:
        return f"{root}: {why}. {ADVICE}, or take {MARKER} away where it does not belong"
    except OSError as error:
        return f"{root} cannot be looked through ({error.strerror}). Mend its rights or the disk"
    return None


class SyntheticFiles(ABC):
    """The files of one kind that charthouse synth made, below the folder with the marker.

    Threads may share it.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    @cached_property
    def _sums(self) -> Mapping[str, str]:
        return _listed(self._root)

    @abstractmethod
    def _says_so(self, path: Path) -> bool:
        """Whether the file says itself that it is synthetic."""

    def require(self, path: Path) -> None:
        """Stops at a file that charthouse synth did not make.

        Raises:
            CharthouseError: The file is another one, or cannot be read and so not be checked.
        """
        try:
            name = path.absolute().relative_to(self._root).as_posix()
            if name not in self._sums:
                raise NotSynthetic(f"{MARKER} does not list it")
            if not is_regular(path):
                raise NotSynthetic("it is no regular file")
            if sha256_of(path) != self._sums[name]:
                raise NotSynthetic(f"it is not the file that {MARKER} lists")
            if not self._says_so(path):
                raise NotSynthetic("it does not say itself that it is synthetic")
        except NotSynthetic as why:
            reason = str(why)
        except ValueError:
            reason = f"it is not below {self._root}"
        except OSError as error:
            reason = f"it cannot be read ({error.strerror or type(error).__name__})"
        else:
            return
        raise CharthouseError(
            f"{path} was not opened: the data count as synthetic, and {reason}. {ADVICE}, then"
            " build again."
        )


class SyntheticPictures(SyntheticFiles):
    """The X-rays."""

    def _says_so(self, path: Path) -> bool:
        import PIL.Image

        with PIL.Image.open(path, formats=["JPEG"]) as picture:
            return picture.info.get("comment") == PICTURE_COMMENT


class SyntheticRecords(SyntheticFiles):
    """The ECGs: a header (.hea), which is a text, speaks for the samples (.dat) beside it."""

    def _says_so(self, path: Path) -> bool:
        if path.suffix == ".dat":
            path = path.with_suffix(".hea")
        lines = path.read_bytes().splitlines()
        return any(line.lstrip(b"# ") == PICTURE_COMMENT for line in lines if line[:1] == b"#")


def _listed(root: Path) -> dict[str, str]:
    """SHA-256 by name below the folder, as its marker has them; NotSynthetic where it has none."""
    try:
        if not is_regular(root / MARKER):
            raise NotSynthetic(f"{MARKER} is no regular file")
        lines = (root / MARKER).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise NotSynthetic(f"there is no {MARKER}") from None
    except UnicodeDecodeError:
        raise NotSynthetic(f"{MARKER} is no text") from None
    sums: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        if line.startswith("#") or not line:
            continue
        found = _LISTED.fullmatch(line)
        if not found and not sums:
            break  # the text of an older version
        if not found:
            raise NotSynthetic(f"{MARKER}, line {number}: no SHA-256 and file, and no comment")
        sums[found[2]] = found[1]
    if not sums:
        raise NotSynthetic(f"{MARKER} lists no file and its SHA-256 (an older charthouse synth?)")
    return sums


def _files_below(root: Path) -> Iterator[str]:
    """Names below a folder of all that is there, but its marker and folders.

    What a link to a folder leads to is not looked at: the link itself is then a name that no marker
    lists.
    """
    unread = [""]
    while unread:
        folder = unread.pop()
        with os.scandir(root / folder) as entries:
            for entry in entries:
                name = folder + entry.name
                if entry.is_dir(follow_symlinks=False):
                    unread.append(f"{name}/")
                elif name != MARKER:
                    yield name


def _says_so(table: Path) -> bool:
    """Whether the file's own header says that it is synthetic; only a .csv.gz can."""
    with table.open("rb") as file:
        head = file.read(_FIXED_HEADER + len(GZIP_NAME))
    return head.startswith(_HAS_NAME) and head[_FIXED_HEADER:] == GZIP_NAME.encode()

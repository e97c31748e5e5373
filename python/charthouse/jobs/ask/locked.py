"""Files that tell other processes that somebody is at work, for as long as that process lives."""

import fcntl
import os
from pathlib import Path
from typing import BinaryIO


def create_locked(path: Path, mode: int) -> BinaryIO | None:
    """Makes the file, or opens it, and locks it; None if another process holds it.

    Args:
        path: of the file.
        mode: rights of a file that is made.

    Raises:
        OSError: the folder does not allow it.
    """
    while True:
        opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, mode)
        file = os.fdopen(opened, "r+b", buffering=0)
        if not _lock(file):
            file.close()
            return None
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # somebody took it away before it was locked


def open_locked(path: Path) -> BinaryIO | None:
    """Opens the file and locks it; None if another process holds it, or it is gone."""
    try:
        file = path.open("r+b")
    except FileNotFoundError:
        return None
    if _lock(file) and os.fstat(file.fileno()).st_nlink:
        return file
    file.close()
    return None


def _lock(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

"""A folder beside the warehouse for what an audit recomputes; private, and removed afterwards."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from charthouse.core.errors import CharthouseError


@contextmanager
def scratch_folder(warehouse: Path) -> Iterator[Path]:
    """The folder `<warehouse>.audit`, empty. What a killed audit left there is removed first.

    Raises:
        CharthouseError: Another audit of the warehouse is running, or the folder cannot be created.
    """
    folder = warehouse.with_name(f"{warehouse.name}.audit")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
        opened = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise CharthouseError(
            f"{folder}: cannot be made ({error.strerror}). The audit computes there what the"
            " warehouse should hold: correct the rights of the folder above."
        ) from None
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CharthouseError(
                f"{warehouse}: another audit is running. Wait for it, then run again."
            ) from None
        _empty(folder)
        try:
            yield folder
        finally:
            _empty(folder)
            folder.rmdir()
    finally:
        os.close(opened)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()

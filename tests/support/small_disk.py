"""A disk small enough to fill, for tests of what happens then."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root may mount a small disk to fill"
)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A disk of so many bytes below a folder; gone afterwards."""
    small = folder / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(small)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this machine does not let root mount a tmpfs")
    try:
        yield small
    finally:
        subprocess.run(["umount", str(small)], check=True)


def fill(disk: Path, *, but: int = 0) -> Path:
    """Takes all that is free, but for so many bytes.

    Returns:
        The file that takes it: without it the disk is as it was.
    """
    filler = disk / "filler"
    filler.unlink(missing_ok=True)
    stat = os.statvfs(disk)
    left = max(stat.f_bavail * stat.f_frsize - but, 0)
    with suppress(OSError), filler.open("wb", buffering=0) as file:  # somebody else may write too
        for start in range(0, left, 4096):
            file.write(bytes(min(4096, left - start)))
    return filler

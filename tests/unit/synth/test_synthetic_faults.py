"""What the writer of the synthetic MIMIC does where it cannot write."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from charthouse.core.errors import CharthouseError
from synthetic import write


def test_a_folder_with_something_in_it_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(CharthouseError, match="not empty"):
        write(tmp_path, stays=5)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


@pytest.mark.parametrize("seed", range(4))
def test_a_single_stay_is_enough(tmp_path: Path, seed: int) -> None:
    truth = write(tmp_path / "one", stays=1, seed=seed, image_pixels=32)
    assert truth["patients"] == 1


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    out = tmp_path / "empty"
    out.mkdir()
    write(out, stays=1, image_pixels=0)
    assert (out / "SYNTHETIC.json").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def _fail_with(error: BaseException) -> Callable[[str, int, int], None]:
    def progress(label: str, done: int, total: int) -> None:
        if label == "radiology reports":
            raise error

    return progress


def test_a_failure_midway_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(CharthouseError, match="full: free some space"):
        write(tmp_path / "a", stays=5, progress=_fail_with(OSError(28, "No space left")))
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "a", stays=5, progress=_fail_with(KeyboardInterrupt()))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"stays": 0}, "at least 1"),
        ({"stays": 10**23}, "stays is 1e\\+23: ask for at most 10,000,000"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**63}, "up to 63 bits"),
        ({"rows_per_stay": -5.0}, "rows_per_stay"),
        ({"image_pixels": 7}, "image_pixels"),
        ({"ecg_waveforms": -1}, "ecg_waveforms is -1: choose 0"),
    ],
)
def test_bad_arguments_give_one_line(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(CharthouseError, match=says) as caught:
        write(tmp_path / "a", **changes)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_target_that_cannot_be_a_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(CharthouseError, match="file is a file: choose a folder"):
        write(tmp_path / "file", stays=5)
    with pytest.raises(CharthouseError, match=r"cannot be written \(Not a directory\): choose"):
        write(tmp_path / "file/below", stays=5)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (errno.EROFS, "no permission"),
        (errno.ENOTEMPTY, "no longer empty"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_a_disk_that_refuses_midway_is_one_line_and_leaves_nothing(
    tmp_path: Path, code: int, said: str
) -> None:
    with pytest.raises(CharthouseError, match=said):
        write(tmp_path / "a", stays=5, progress=_fail_with(OSError(code, os.strerror(code))))
    assert list(tmp_path.iterdir()) == []

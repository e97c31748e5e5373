"""`charthouse report`: read, draw, and put the page in the place of the old one."""

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from charthouse.core.data_kind import tag
from charthouse.core.errors import CharthouseError
from charthouse.core.progress import PrintLine
from charthouse.views.report.choose import require_known_arms
from charthouse.views.report.page import render
from charthouse.views.report.pictures import attrition_picture, task_part
from charthouse.views.report.read import read

PAGE = "report.html"
PART = ".charthouse-report.part"
"""Folder in which a report is made; one that a killed run left is removed by the next."""


def write_report(
    warehouse: Path,
    out: Path,
    *,
    arms: Sequence[str] = (),
    tripod: bool = False,
    say: PrintLine,
) -> Path:
    """Writes FOLDER/report.html and its pictures; other files of the folder are left alone.

    Args:
        warehouse: the DuckDB file.
        out: the folder; made if need be.
        arms: those to draw where only a few can be; none: chosen on validation.
        tripod: add the checklist of TRIPOD+AI.
        say: told one line at a time.

    Returns:
        The page.

    Raises:
        CharthouseError: nothing has been evaluated, an arm is unknown, or the folder cannot be
            written. A report that was there before is then still whole.
    """
    found = read(warehouse, tripod=tripod)
    require_known_arms(found, arms)
    attrition = attrition_picture(found.cohort)
    parts = [task_part(results, arms) for results in found.tasks]
    pictures = [attrition, *(picture for part in parts for picture in part.pictures)]
    files = {picture.file: picture.png for picture in pictures}
    files[PAGE] = render(found, attrition, parts).encode()  # last: it lists the others
    try:
        _replace(out, files)
    except OSError as error:
        raise CharthouseError(
            f"{out}: the report cannot be written there ({error.strerror}). Free space, or name"
            " another folder by --out."
        ) from error
    mark = f"{words}: " if (words := tag(found.cohort.data_kind)) else ""
    names = ", ".join(results.task for results in found.tasks)
    say(f"{mark}{out / PAGE}, {len(pictures)} pictures, of {names}")
    return out / PAGE


def _replace(out: Path, files: dict[str, bytes]) -> None:
    """Writes all beside the old ones, then swaps them in; what only the old page had goes."""
    out.mkdir(parents=True, exist_ok=True)
    part = out / PART
    if part.exists():
        shutil.rmtree(part)
    part.mkdir()
    try:
        for name, content in files.items():
            (part / name).write_bytes(content)
        old = _files_of(out / PAGE)
        for name in files:
            os.replace(part / name, out / name)
        for name in old - set(files):
            (out / name).unlink(missing_ok=True)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _files_of(page: Path) -> set[str]:
    """Pictures that an earlier report wrote, as it says itself."""
    if not page.exists():
        return set()
    return set(re.findall(r'data-file="([\w-]+\.png)"', page.read_text("utf-8", "replace")))

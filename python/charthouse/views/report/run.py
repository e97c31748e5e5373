"""`charthouse report`: read, draw, and put the page in the place of the old one."""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from charthouse.core.data_kind import tag
from charthouse.core.errors import CharthouseError
from charthouse.core.progress import Say
from charthouse.views.report import style
from charthouse.views.report.attrition import attrition_picture
from charthouse.views.report.choose import chosen, require_known_arms
from charthouse.views.report.comparisons import comparison_pictures
from charthouse.views.report.curves import curve_picture
from charthouse.views.report.leaderboard import leaderboard_picture
from charthouse.views.report.page import Picture, TaskPart, render
from charthouse.views.report.read import Found, TaskResults, read
from charthouse.views.report.shares import share_picture
from charthouse.views.report.style import Sheet
from charthouse.views.report.subgroups import (
    attributes_of,
    fairness_picture,
    not_drawn,
    subgroup_picture,
)

PAGE = "report.html"
PART = ".charthouse-report.part"
"""Folder in which a report is made; one that a killed run left is removed by the next."""


def write_report(warehouse: Path, out: Path, *, arms: Sequence[str] = (), say: Say) -> Path:
    """Writes FOLDER/report.html and its pictures; other files of the folder are left alone.

    Args:
        warehouse: the DuckDB file.
        out: the folder; made if need be.
        arms: those to draw where only a few can be; none: chosen on validation.
        say: told one line at a time.

    Returns:
        The page.

    Raises:
        CharthouseError: nothing has been evaluated, an arm is unknown, or the folder cannot be
            written. A report that was there before is then still whole.
    """
    found = read(warehouse)
    require_known_arms(found, arms)
    with style.applied():
        attrition = _attrition(found)
        parts = [_task_part(results, arms) for results in found.tasks]
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


def _attrition(found: Found) -> Picture:
    cohort = found.cohort
    all_stays, left = cohort.attrition[0], cohort.attrition[-1]
    return Picture(
        "attrition.png",
        attrition_picture(cohort).png(),
        f"Flow diagram: {all_stays['stays']:,} ICU stays, {left['stays']:,} in the cohort, and its"
        " splits.",
        "Read from above: on the right what each rule asks and drops; a patient is dropped with"
        " the last stay of theirs.",
    )


def _task_part(results: TaskResults, asked: Sequence[str]) -> TaskPart:
    pictures, absent = [], []
    for name, sheet, words in _drawn(results, asked):
        if isinstance(sheet, str):
            absent.append(sheet)
        else:
            alt = f"{words.split(':')[0]}, task {results.task}."
            pictures.append(Picture(f"{name}-{_safe(results.task)}.png", sheet.png(), alt, words))
    if names := not_drawn(results):
        absent.append(
            f"Too many groups to draw: {', '.join(names)}; they are in reports.subgroups."
        )
    return TaskPart(results, pictures, absent)


def _drawn(results: TaskResults, asked: Sequence[str]) -> Iterator[tuple[str, Sheet | str, str]]:
    """Name of the file, the picture or why there is none, and what to read off."""
    few = chosen(results, asked)
    yield (
        "leaderboard", leaderboard_picture(results),
        "AUROC and AUPRC of every arm: arms whose whiskers overlap widely are not told apart here,"
        " nor is one without a whisker told apart from anything, the paper's figures included; the"
        " dashed line is chance. A stay of the MIMIC-CXR years could have had an X-ray.",
    )  # fmt: skip
    comparisons = comparison_pictures(results)
    for at, sheet in enumerate(comparisons):
        yield (
            f"comparisons-{at + 1}" if len(comparisons) > 1 else "comparisons", sheet,
            "Paired differences of AUROC, the primary metric: only filled dots are significant"
            " after Holm correction for how many were asked. Other metrics are exploratory, and in"
            " reports.comparisons.",
        )  # fmt: skip
    if not comparisons:
        yield "", "No comparisons: no two of the evaluated arms differ in one thing only.", ""
    measured = {row["run_id"] for row in results.subgroups}
    if few and attributes_of(results) and any(arm["run_id"] in measured for arm in few):
        yield (
            "subgroups", subgroup_picture(results, few),
            "AUROC by subgroup (Figure 4 of the paper): compare groups within one colour, and mind"
            " how few positive stays a group has.",
        )  # fmt: skip
        yield (
            "fairness", fairness_picture(results, few),
            "Fairness ratios: 1 is alike; an interval far left of 1 says that decisions or their"
            " errors differ between the groups.",
        )  # fmt: skip
    else:
        yield "", "No subgroups: reports.subgroups has none of these arms.", ""
    if results.contributions:
        yield (
            "shares", share_picture(results),
            "Shares of the modalities in what moves the scores (Figure 5 of the paper): first by"
            " net contribution, what a modality moves as a whole. Compare all stays with complete"
            " cases, where no modality is absent, and with the years that MIMIC-CXR covers, where"
            " an X-ray is absent for no other reason than the patient's.",
        )  # fmt: skip
    else:
        yield "", "No shares of modalities: no logistic regression among the evaluated arms.", ""
    drawn = {row["run_id"] for row in results.curves}
    if with_curves := [arm for arm in few if arm["run_id"] in drawn]:
        yield (
            "curves", curve_picture(results, with_curves),
            "ROC, precision-recall and calibration curves with their 95 % bands: calibration is"
            " good where the points lie on the diagonal.",
        )  # fmt: skip
    else:
        yield "", "No curves: reports.curves has none of these arms.", ""


def _safe(task: str) -> str:
    """A task's name as part of a file's."""
    return re.sub(r"[^\w-]", "_", task)

"""`charthouse doctor`: are the raw files there, whole, and of a known release?"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import duckdb

from charthouse.core.errors import CharthouseError
from charthouse.core.local_paths import require_local
from charthouse.core.project import RawTable, published_row_counts, raw_tables
from charthouse.core.synthetic_marker import has_marker, why_not_synthetic
from charthouse.core.warehouse import in_memory_database, open_warehouse, warehouse_path
from charthouse.data.raw.files import find_raw_file
from charthouse.data.raw.reader import read_rows, require_columns
from charthouse.data.raw.stream import RawStream

# A file up to this many bytes is counted at once; a larger one, only with --full.
COUNTED_AT_ONCE = 50_000_000
SAMPLED_IMAGES = 20


@dataclass(frozen=True)
class Diagnosis:
    """One line of the report: good, worth knowing, or something that stops a build."""

    state: Literal["good", "note", "bad"]
    subject: str
    message: str


def examine(project: Path, *, full: bool = False) -> list[Diagnosis]:
    """Examines every raw file that the models read, as the project's dbt_project.yml declares it.

    With `full` it reads every file to its end, for exact counts and to find damage.

    Returns:
        One diagnosis per folder, file and release, then the warehouse.

    Example:
        >>> from charthouse.core.project import project_dir
        >>> from charthouse.core.warehouse import warehouse_path
        >>> found = {each.subject: each for each in examine(project_dir())}
        >>> found["icu/icustays"].state, found["icu/icustays"].message
        ('good', '300 rows')
        >>> found["CHARTHOUSE_WAREHOUSE"].message.startswith(str(warehouse_path()))
        True
    """
    findings: list[Diagnosis] = []
    rows: dict[str, int] = {}
    tables = raw_tables(project)
    for root in dict.fromkeys(table.root for table in tables):
        of_root = [table for table in tables if table.root == root]
        folder = _root_folder(root, of_root, findings)
        if folder is not None:
            for table in of_root:
                findings.extend(_examine_table(table, rows, full=full))
                if table.relation == "mimic_cxr__metadata":
                    findings.extend(_examine_images(folder, table))
    findings.extend(_compare_with_releases(rows, published_row_counts(project)))
    findings.append(_examine_warehouse())
    return findings


def print_diagnoses(findings: list[Diagnosis]) -> None:
    """Prints the diagnoses as a table, and what to do next."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    marks = {"good": "[green]ok[/]", "note": "[yellow]note[/]", "bad": "[red]stop[/]"}
    table = Table(box=None, pad_edge=False)
    for heading in ("", "what", "finding"):
        table.add_column(heading, overflow="fold")
    for finding in findings:
        # Text: a bracket in a path is no markup
        table.add_row(marks[finding.state], finding.subject, Text(finding.message))
    console = Console()
    console.print(table)
    stops = sum(finding.state == "bad" for finding in findings)
    console.print(f"{stops} to mend before a build." if stops else "Ready: charthouse build")


def _root_folder(root: str, tables: list[RawTable], findings: list[Diagnosis]) -> Path | None:
    """The folder that an environment variable names, if files can be looked for in it."""
    optional, title = tables[0].optional, tables[0].title
    named = os.environ.get(root)
    if not named and optional:
        words = f"not set: the build goes on without {title}, that modality empty"
        findings.append(Diagnosis("note", root, words))
        return None
    try:
        folder = _readable_folder(root, named, title)
        if has_marker(folder):
            words = f"{folder} is SYNTHETIC: no real patient in it"
            if why := why_not_synthetic(folder, {}):
                words = f"{why}; until then it is not synthetic"
            findings.append(Diagnosis("note", root, words))
        expected = tables[0].folder
        if expected and not (folder / expected).is_dir():
            nested = next((path.parent for path in sorted(folder.glob(f"*/{expected}"))), None)
            advice = f"did you mean {nested}?" if nested else "correct it, or fetch that module"
            raise CharthouseError(f"{folder} has no folder {expected}: {advice}")
    except CharthouseError as error:
        findings.append(Diagnosis("bad", root, str(error)))
        return None
    findings.append(Diagnosis("good", root, str(folder)))
    return folder


def _readable_folder(root: str, named: str | None, title: str) -> Path:
    if not named:
        raise CharthouseError(f"not set: export {root}=/path/to/{title}")
    require_local(root, named)
    folder = Path(named)
    if not os.path.isdir(folder):  # as Path.is_dir, but for a name that is too long
        raise CharthouseError(f"{folder} is not a folder: correct {root}")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise CharthouseError(f"{folder} is not readable by you: chmod or ask its owner")
    return folder


def _examine_table(table: RawTable, rows: dict[str, int], *, full: bool) -> Iterator[Diagnosis]:
    try:
        path = find_raw_file(table)
        if path is None:
            words = "absent: the build goes on without it, and what is made of it is empty"
            yield Diagnosis("note", table.file, words)
            return
        if not os.access(path, os.R_OK):
            raise CharthouseError(f"{path} is not readable by you: chmod or ask its owner")
        require_columns(path, table.columns)
        if not full and (size := path.stat().st_size) > COUNTED_AT_ONCE:
            words = f"columns are there; {size / 1e9:.1f} GB, counted with --full"
        else:
            rows[table.file] = sum(batch.num_rows for batch in read_rows(path, table.columns))
            words = f"{rows[table.file]:,} rows"
        yield Diagnosis("good", table.file, words)
    except CharthouseError as error:
        yield Diagnosis("bad", table.file, str(error))


def _compare_with_releases(
    rows: dict[str, int], known: dict[str, dict[str, int]]
) -> Iterator[Diagnosis]:
    """Which release is it, and is any file of it shorter than published?"""
    stays = rows.get("icu/icustays")
    if stays is None:
        return
    release = next((name for name, files in known.items() if files["icu/icustays"] == stays), None)
    if release is None:
        listed = ", ".join(f"{name}: {files['icu/icustays']:,}" for name, files in known.items())
        yield Diagnosis(
            "note", "release",
            f"{stays:,} ICU stays are those of no release we know ({listed}): fine for a subset,"
            " for another release or for synthetic data; else icu/icustays is cut",
        )  # fmt: skip
        return
    yield Diagnosis("good", "release", f"MIMIC-IV {release}, by its {stays:,} ICU stays")
    for file, expected in known[release].items():
        found = rows.get(file)
        if found is not None and found < expected:
            yield Diagnosis(
                "note", file,
                f"only {found:,} of the {expected:,} rows of release {release}: fine for a subset,"
                " else fetch it again",
            )  # fmt: skip
        elif found is not None and found > expected:
            yield Diagnosis("note", file, f"{found:,} rows, release {release} has {expected:,}")


def _examine_images(folder: Path, table: RawTable) -> Iterator[Diagnosis]:
    """Are the JPGs there that the metadata name? A sample, spread over the file."""
    try:
        with in_memory_database() as database:
            database.register("metadata", RawStream(table.columns, partial(find_raw_file, table)))
            sampled = database.execute(
                "select subject_id, study_id, dicom_id from metadata order by md5(dicom_id)"
                " limit ?",
                [SAMPLED_IMAGES],
            ).fetchall()
    except duckdb.Error:
        return  # the table's own finding says why
    there = sum(
        (folder / f"files/p{str(subject)[:2]}/p{subject}/s{study}/{dicom}.jpg").exists()
        for subject, study, dicom in sampled
    )
    if there == len(sampled):
        yield Diagnosis("good", "files/", f"{there} of {len(sampled)} sampled JPGs are there")
    else:
        yield Diagnosis(
            "note", "files/",
            f"only {there} of {len(sampled)} sampled JPGs are there: the marts build without them,"
            " image encoders need them (MIMIC-CXR-JPG)",
        )  # fmt: skip


def _examine_warehouse() -> Diagnosis:
    try:
        path = warehouse_path()
        folder = path.absolute().parent
        if not os.path.isdir(folder) or not os.access(folder, os.W_OK):
            raise CharthouseError(f"{folder} is no folder that you may write to")
        if path.exists():
            with open_warehouse(path, stop_waiting=lambda: True):
                pass
        beside = Path(os.path.realpath(path))
        disk = os.statvfs(beside.parent if beside.parent.is_dir() else folder)
        free, size = disk.f_bavail * disk.f_frsize, beside.stat().st_size if beside.exists() else 0
        if free < size:
            raise CharthouseError(
                f"{path}: a build works on a copy beside it, which takes {size / 1e9:.1f} GB, and"
                f" {free / 1e9:.1f} GB are free. Free space there, or name another"
            )
    except CharthouseError as error:
        return Diagnosis("bad", "CHARTHOUSE_WAREHOUSE", str(error))
    return Diagnosis("good", "CHARTHOUSE_WAREHOUSE", f"{path} ({free / 1e9:.0f} GB free beside it)")

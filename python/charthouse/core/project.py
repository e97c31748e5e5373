"""Where the dbt project is, and what it declares that Python needs too."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from charthouse.core.errors import CharthouseError
from charthouse.core.registry import TAKE_IT_BACK, Count, read_seed

SHIPPED_PROJECT = Path(__file__).parents[1] / "dbt_project"
"""The dbt project that the package carries; in a clone, links to the clone's own."""


def project_dir(*, else_shipped: bool = False) -> Path:
    """The folder of dbt_project.yml: CHARTHOUSE_PROJECT, or the current folder or one above it.

    Args:
        else_shipped: If there is none, take the one that the package carries, to read only.

    Raises:
        CharthouseError: There is none.

    Example:
        >>> (project_dir() / "dbt_project.yml").exists()
        True
    """
    named = os.environ.get("CHARTHOUSE_PROJECT")
    candidates = [Path(named)] if named else [Path.cwd(), *Path.cwd().parents]
    for folder in candidates:
        if (folder / "dbt_project.yml").exists() and (folder / "profiles").is_dir():
            return folder
    if else_shipped and not named:
        return SHIPPED_PROJECT
    raise CharthouseError(
        f"{candidates[0]} is not (in) a project of Charthouse. Go to one, make one (charthouse init"
        " FOLDER), or set CHARTHOUSE_PROJECT to one."
    )


@dataclass(frozen=True)
class RawColumn:
    """A column of a raw table, as _sources.yml declares it."""

    name: str
    data_type: str  # as SQL calls it
    optional: bool  # it may be absent


@dataclass(frozen=True)
class RawTable:
    """A raw table that the models read, as models/staging/<source>/_sources.yml declares it."""

    source: str  # as dbt names it: mimiciv_hosp
    table: str  # as dbt names it: patients
    root: str  # environment variable of the folder, such as CHARTHOUSE_MIMICIV
    title: str  # what PhysioNet calls that folder
    folder: str  # below the root: "hosp", "icu", "note" or ""
    name: str  # file name without its ending
    columns: tuple[RawColumn, ...]
    optional: bool  # the whole source may be absent
    file_optional: bool  # this file may be absent where the others of its source are there

    @property
    def relation(self) -> str:
        """Its name among all raw tables, such as mimiciv_hosp__patients."""
        return f"{self.source}__{self.table}"

    @property
    def file(self) -> str:
        """The file below its root, without ending, such as hosp/patients."""
        return f"{self.folder}/{self.name}".lstrip("/")


def raw_tables(project: Path) -> list[RawTable]:
    """All raw tables that the models read. Tables of optional sources come last.

    Args:
        project: The folder of dbt_project.yml.

    Example:
        >>> stays = next(table for table in raw_tables(project_dir()) if table.table == "icustays")
        >>> stays.root, stays.file, [column.name for column in stays.columns][:3]
        ('CHARTHOUSE_MIMICIV', 'icu/icustays', ['subject_id', 'hadm_id', 'stay_id'])
    """
    files = sorted(project.glob("models/staging/*/_sources.yml"))
    tables = []
    for source in (each for file in files for each in yaml.safe_load(file.read_text())["sources"]):
        meta = source["config"]["meta"]
        for table in source["tables"]:
            columns = tuple(
                RawColumn(
                    name=column["name"],
                    data_type=column["data_type"],
                    optional=bool(column.get("config", {}).get("meta", {}).get("optional")),
                )
                for column in table["columns"]
            )
            tables.append(
                RawTable(
                    source=source["name"],
                    table=table["name"],
                    root=meta["root"],
                    title=meta["title"],
                    folder=meta["folder"].strip("/"),
                    name=table.get("identifier", table["name"]),
                    columns=columns,
                    optional=meta["optional"],
                    file_optional=bool(table.get("config", {}).get("meta", {}).get("optional")),
                )
            )
    return sorted(tables, key=lambda table: table.optional)


def project_vars(project: Path) -> dict[str, Any]:
    """What `vars` of dbt_project.yml declares.

    Raises:
        CharthouseError: it is no YAML, or has none.
    """
    path = project / "dbt_project.yml"
    try:
        declared: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))["vars"]
        for name in ("modality_kinds", "modalities"):
            if not isinstance(declared[name], list):
                raise KeyError(name)
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError):
        raise CharthouseError(
            f"{path} is no YAML with vars, modality_kinds and modalities among them. Correct it, or"
            f" {TAKE_IT_BACK}."
        ) from None
    return declared


@dataclass(frozen=True)
class _RowCount:
    """A row of seeds/published/known_row_counts.csv."""

    release: str
    file: str
    rows: Count


def published_row_counts(project: Path) -> dict[str, dict[str, int]]:
    """Published row counts, {release: {file: rows}}, from seeds/published/known_row_counts.csv."""
    counts: dict[str, dict[str, int]] = {}
    for row in read_seed(project, "known_row_counts", _RowCount, key=("release", "file")):
        counts.setdefault(row.release, {})[row.file] = row.rows
    return counts

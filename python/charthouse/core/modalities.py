"""The modalities: rows of vars.modalities in dbt_project.yml, which SQL reads as well."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, StrictBool, TypeAdapter, ValidationInfo
from pydantic_core import PydanticCustomError

from charthouse.core.project import project_vars
from charthouse.core.registry import Name, checked


def _known(kind: str, info: ValidationInfo) -> str:
    """One of those in the context."""
    kinds = info.context or ()
    if kind not in kinds:
        raise PydanticCustomError("kind", "unknown", {"expected": ", ".join(kinds)})
    return kind


Kind = Annotated[str, AfterValidator(_known)]
"""One of vars.modality_kinds, which is the context of its check: what an encoder can read."""


@dataclass(frozen=True)
class Modality:
    """A row of vars.modalities."""

    name: Name  # used everywhere: marts.stay_modalities, arms, conditions of learners
    position: int  # in vars.modalities, from 1
    kind: Kind  # which says what encoders can read it
    rows: str  # the mart with its rows
    item: str  # what people call one of them
    slot: str  # the part of an arm's name in which its encoders stand
    grid: str | None = None  # of a time series that has one, the mart with its bins
    # zero: a row lasts to its ended_at, and a bin of the grid is 0, and known, where nothing runs
    fill: Literal["zero"] | None = None
    before_admission: StrictBool = False  # its rows are of earlier admissions
    in_paper: StrictBool = False  # a complete stay has it, and the arm `presence` includes it


def modalities(project: Path) -> tuple[Modality, ...]:
    """All modalities, in the order of vars.modalities; project is the folder of dbt_project.yml.

    Raises:
        CharthouseError: A row has no name, kind or rows; the message names the row. `dbt build`
            checks more (macros/modalities.sql).

    Example:
        >>> from charthouse.core.project import project_dir
        >>> [(each.name, each.kind) for each in modalities(project_dir())][:2]
        [('demographics', 'tabular'), ('vitals', 'time_series')]
    """
    declared = project_vars(project)
    adapter = TypeAdapter(Modality)
    found = []
    for position, row in enumerate(declared["modalities"], start=1):
        if isinstance(row, Mapping):  # what need not be said
            usual = {"item": f"row of {row.get('name')}", "slot": str(row.get("name"))}
            row = {**usual, **row, "position": position}
        where = f"dbt_project.yml, vars.modalities, row {position}"
        mend = "docs/how-to/add-a-modality.md shows a row."
        found.append(checked(adapter, row, where, mend, declared["modality_kinds"]))
    return tuple(found)


def modality_kinds(project: Path) -> tuple[str, ...]:
    """The kinds of modality that encoders can read, from vars.modality_kinds."""
    return tuple(project_vars(project)["modality_kinds"])

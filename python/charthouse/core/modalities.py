"""The modalities: rows of vars.modalities in dbt_project.yml, which SQL reads as well."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

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
    """A row of vars.modalities.

    Attributes:
        name: The name used everywhere: marts.stay_modalities, arms, conditions of learners.
        position: Position in vars.modalities, from 1.
        kind: One of vars.modality_kinds, which says what encoders can read it.
        rows: The mart with its rows.
        grid: For a time series that has one, the mart with its bins.
        item: What people call one of its rows.
        slot: The part of an arm's name in which its encoders stand.
        in_paper: Whether a complete stay has it, and whether the arm `presence` includes it.
    """

    name: Name
    position: int
    kind: Kind
    rows: str
    item: str
    slot: str
    grid: str | None = None
    in_paper: StrictBool = False


def modalities(project: Path) -> tuple[Modality, ...]:
    """All modalities, in the order of vars.modalities.

    Args:
        project: The folder of dbt_project.yml.

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
    return tuple(
        checked(
            adapter,
            _with_usual(row, position) if isinstance(row, Mapping) else row,
            f"dbt_project.yml, vars.modalities, row {position}",
            "docs/how-to/add-a-modality.md shows a row.",
            declared["modality_kinds"],
        )
        for position, row in enumerate(declared["modalities"], start=1)
    )


def _with_usual(row: Mapping[str, Any], position: int) -> dict[str, Any]:
    """With what need not be said."""
    name = row.get("name")
    return {"item": f"row of {name}", "slot": f"{name}", **row, "position": position}


def modality_kinds(project: Path) -> tuple[str, ...]:
    """The kinds of modality that encoders can read, from vars.modality_kinds."""
    return tuple(project_vars(project)["modality_kinds"])

"""What is known of a stay: the rows of vars.modalities in dbt_project.yml, as SQL has them too."""

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
        name: As it is called everywhere: marts.stay_modalities, arms, conditions of learners.
        position: Its place in vars.modalities, from 1.
        kind: What an encoder can read, whichever modality it is.
        rows: Its mart.
        grid: The mart of its bins, of a time series that has one.
        item: What people call one of its rows.
        slot: Part of an arm that its encoders stand in.
        in_paper: Whether a complete stay has it, and the arm `presence` tells of it.
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
    """Every modality, in the order of vars.modalities.

    Raises:
        CharthouseError: a row is broken; says which and how. `dbt build` looks closer
            (macros/modalities.sql).

    Example:
        >>> [modality.name for modality in modalities(project)]
        ['demographics', 'vitals', 'image', 'text']
    """
    declared = project_vars(project)
    adapter = TypeAdapter(Modality)
    return tuple(
        checked(
            adapter,
            _with_usual(row, position) if isinstance(row, Mapping) else row,
            f"dbt_project.yml, vars.modalities, row {position}",
            "docs/add-a-modality.md shows a row.",
            declared["modality_kinds"],
        )
        for position, row in enumerate(declared["modalities"], start=1)
    )


def _with_usual(row: Mapping[str, Any], position: int) -> dict[str, Any]:
    """With what need not be said."""
    name = row.get("name")
    return {"item": f"row of {name}", "slot": f"{name}", **row, "position": position}


def modality_kinds(project: Path) -> tuple[str, ...]:
    """What encoders can read."""
    return tuple(project_vars(project)["modality_kinds"])

"""What is known of a stay: the rows of vars.modalities in dbt_project.yml, as SQL has them too."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from charthouse.core.errors import CharthouseError


@dataclass(frozen=True)
class Modality:
    """A row of vars.modalities.

    Attributes:
        name: As it is called everywhere: marts.stay_modalities, arms, conditions of learners.
        position: Its place in vars.modalities, from 1.
        kind: One of vars.modality_kinds: what an encoder can read, whichever modality it is.
        rows: Its mart.
        grid: The mart of its bins, of a time series that has one.
        item: What people call one of its rows.
        slot: Part of an arm that its encoders stand in.
        in_paper: Whether a complete stay has it, and the arm `presence` tells of it.
    """

    name: str
    position: int
    kind: str
    rows: str
    grid: str | None = None
    item: str = ""
    slot: str = ""
    in_paper: bool = False


def modalities(project: Path) -> tuple[Modality, ...]:
    """Every modality, in the order of vars.modalities.

    Raises:
        CharthouseError: a row has no name, kind or rows; says which. `dbt build` looks closer
            (macros/modalities.sql).
    """
    found = []
    for position, row in enumerate(_vars(project)["modalities"], start=1):
        try:
            found.append(
                Modality(
                    name=row["name"],
                    position=position,
                    kind=row["kind"],
                    rows=row["rows"],
                    grid=row.get("grid"),
                    item=row.get("item", f"row of {row['name']}"),
                    slot=row.get("slot", row["name"]),
                    in_paper=row.get("in_paper", False),
                )
            )
        except (KeyError, TypeError, AttributeError):
            raise CharthouseError(
                f"dbt_project.yml, vars.modalities, row {position} has no name, kind or rows."
                " docs/add-a-modality.md shows a row."
            ) from None
    return tuple(found)


def modality_kinds(project: Path) -> tuple[str, ...]:
    """What encoders can read."""
    return tuple(_vars(project)["modality_kinds"])


def _vars(project: Path) -> dict[str, Any]:
    return yaml.safe_load((project / "dbt_project.yml").read_text("utf-8"))["vars"]

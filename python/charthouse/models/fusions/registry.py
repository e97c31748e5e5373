"""Which fusions there are: rows of seeds/fusions.csv, classes in modules of the same names."""

from pathlib import Path

from charthouse.core.registry import class_named, require_registered, seed_rows
from charthouse.models.fusions.base import Fusion


def fusion_names(project: Path) -> list[str]:
    """Every fusion, in the order of the seed."""
    return [row["fusion"] for _, row in seed_rows(project, "fusions")]


def make_fusion(project: Path, name: str) -> Fusion:
    """The fusion of that name: Late in charthouse.models.fusions.late for late.

    Raises:
        CharthouseError: there is none; says which are near.
    """
    require_registered("fusion", name, fusion_names(project))
    fusion: Fusion = class_named("fusions", "fusion", name)()
    return fusion

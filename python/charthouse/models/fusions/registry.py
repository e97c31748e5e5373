"""Which fusions there are: rows of seeds/registries/fusions.csv, modules of the same names."""

from dataclasses import dataclass
from pathlib import Path

from charthouse.core.registry import Name, class_named, read_seed, require_registered
from charthouse.models.fusions.base import Fusion


@dataclass(frozen=True)
class FusionSpec:
    """A row of seeds/registries/fusions.csv."""

    fusion: Name
    description: str
    source: str


def fusion_names(project: Path) -> list[str]:
    """Every fusion, in the order of the seed.

    Raises:
        CharthouseError: the seed is not there, or a row of it is broken; says which and how.
    """
    return [spec.fusion for spec in read_seed(project, "fusions", FusionSpec)]


def make_fusion(project: Path, name: str) -> Fusion:
    """The fusion of that name: Late in charthouse.models.fusions.late for late.

    Raises:
        CharthouseError: there is none; says which are near.
    """
    require_registered("fusion", name, fusion_names(project))
    fusion: Fusion = class_named("fusions", "fusion", name)()
    return fusion

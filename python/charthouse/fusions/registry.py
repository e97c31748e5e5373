"""Which fusions there are: rows of seeds/fusions.csv, classes in modules of the same names."""

import csv
import importlib
from difflib import get_close_matches
from pathlib import Path

from charthouse.errors import CharthouseError
from charthouse.fusions.base import Fusion


def fusion_names(project: Path) -> list[str]:
    """Every fusion, in the order of the seed."""
    path = project / "seeds/fusions.csv"
    if not path.exists():
        raise CharthouseError(f"{path} is missing: get it back (git checkout {path.name}).")
    with path.open(newline="") as file:
        return [row["fusion"] for row in csv.DictReader(file)]


def make_fusion(project: Path, name: str) -> Fusion:
    """The fusion of that name: Late in charthouse.fusions.late for late.

    Raises:
        CharthouseError: there is none; says which are near.
    """
    known = fusion_names(project)
    if name not in known:
        near = get_close_matches(name, known, n=1)
        advice = f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(known)}."
        raise CharthouseError(f"Unknown fusion '{name}'. {advice}")
    module_name = f"charthouse.fusions.{name}"
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name:
            raise CharthouseError(
                f"Fusion '{name}' needs {error.name}: pip install 'charthouse[models]', or make"
                " .venv/installed."
            ) from error
        raise CharthouseError(
            f"Fusion '{name}' of seeds/fusions.csv has no class. Add"
            f" python/charthouse/fusions/{name}.py."
        ) from error
    class_name = "".join(word.capitalize() for word in name.split("_"))
    found: type[Fusion] | None = getattr(module, class_name, None)
    if found is None:
        raise CharthouseError(f"{module.__file__} has no class {class_name}. Name it so.")
    return found()

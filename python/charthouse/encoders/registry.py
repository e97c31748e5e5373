"""Which encoders there are: rows of seeds/encoders.csv, classes in modules of the same names.

Reading the registry imports none of them; `encoder_class` imports one.
"""

import csv
import importlib
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from charthouse.errors import CharthouseError

if TYPE_CHECKING:
    from charthouse.encoders.base import Encoder


@dataclass(frozen=True)
class EncoderSpec:
    """A row of seeds/encoders.csv (Table I of the paper, and more)."""

    encoder: str
    technique: str  # as the paper calls it
    modality: str  # demographics, time_series, image or text
    foundation_model: bool
    domain: str
    training_data: str
    dimension: int | None  # None: depends on the cohort
    hub_id: str  # on the Hugging Face hub, or the provider's name of the model; '' for none
    revision: str
    licence: str
    citation: str


def encoder_specs(project: Path) -> dict[str, EncoderSpec]:
    """Every encoder by name, in the order of the seed."""
    with (project / "seeds/encoders.csv").open(newline="") as file:
        return {
            row["encoder"]: EncoderSpec(
                encoder=row["encoder"],
                technique=row["technique"],
                modality=row["modality"],
                foundation_model=row["foundation_model"] == "true",
                domain=row["domain"],
                training_data=row["training_data"],
                dimension=int(row["dimension"]) if row["dimension"] else None,
                hub_id=row["hub_id"],
                revision=row["revision"],
                licence=row["licence"],
                citation=row["citation"],
            )
            for row in csv.DictReader(file)
        }


def encoder_spec(project: Path, name: str) -> EncoderSpec:
    """The encoder of that name.

    Raises:
        CharthouseError: there is none; says which are near.
    """
    specs = encoder_specs(project)
    if name in specs:
        return specs[name]
    near = get_close_matches(name, specs, n=1)
    advice = f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(specs)}."
    raise CharthouseError(f"Unknown encoder '{name}'. {advice}")


def encoder_class(name: str) -> "type[Encoder]":
    """The class of an encoder: TfidfSvd in charthouse.encoders.tfidf_svd for tfidf_svd.

    Raises:
        CharthouseError: a row without a class, or a package that is not installed.
    """
    module_name = f"charthouse.encoders.{name}"
    class_name = "".join(word.capitalize() for word in name.split("_"))
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name == module_name:
            mend = f"Add python/charthouse/encoders/{name}.py (docs/add-an-encoder.md)."
        else:
            mend = (
                f"It needs {error.name}: pip install 'charthouse[models]', or make .venv/installed."
            )
        raise CharthouseError(f"Encoder '{name}' cannot be imported. {mend}") from error
    found = getattr(module, class_name, None)
    if found is None:
        raise CharthouseError(f"{module.__file__} has no class {class_name}. Name it so.")
    return found

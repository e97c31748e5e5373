"""Which encoders there are: rows of seeds/encoders.csv, classes in modules of the same names.

Reading the registry imports none of them; `encoder_class` imports one.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from charthouse.core.errors import CharthouseError
from charthouse.core.modalities import Modality, modalities, modality_kinds
from charthouse.core.registry import (
    class_named,
    contamination_faults,
    require_registered,
    seed_rows,
)
from charthouse.models.encoders.spec import EncoderSpec

if TYPE_CHECKING:
    from charthouse.models.encoders.base import Context, Encoder


NOT_ENCODERS = ("encoded", "skipped", "fitted", "current_vectors")
"""Other relations of the schema embeddings."""


def encoder_specs(project: Path) -> dict[str, EncoderSpec]:
    """Every encoder for every modality of its kind, by name of its vectors, in the seed's order.

    Raises:
        CharthouseError: the seed is not there, or a row of it is broken; says which and how.
    """
    path = project / "seeds/encoders.csv"
    of_kind: dict[str, list[Modality]] = {}
    for modality in modalities(project):
        of_kind.setdefault(modality.kind, []).append(modality)
    kinds = modality_kinds(project)
    specs = {}
    for line, row in seed_rows(project, "encoders"):
        _require_sound(row, path, line, kinds)
        for place, modality in enumerate(of_kind.get(row["kind"], ())):
            encoder = f"{row['encoder']}__{modality.name}" if place else row["encoder"]
            specs[encoder] = _spec(row, encoder, modality, path)
    return specs


def _require_sound(row: dict[str, str], path: Path, line: int, kinds: tuple[str, ...]) -> None:
    faults = {
        "encoder": re.fullmatch("[a-z][a-z0-9]*(_[a-z0-9]+)*", row.get("encoder") or "")
        and row["encoder"] not in NOT_ENCODERS,
        "kind": row.get("kind") in kinds,
        "foundation_model": row.get("foundation_model") in ("true", "false"),
        "dimension": re.fullmatch("[1-9][0-9]*|", row.get("dimension") or ""),
    } | contamination_faults(row)
    if broken := [name for name, is_right in faults.items() if not is_right]:
        raise CharthouseError(
            f"{path}, line {line}: wrong {' and '.join(broken)}. docs/add-an-encoder.md shows a"
            " row."
        )


def _spec(row: dict[str, str], encoder: str, modality: Modality, path: Path) -> EncoderSpec:
    try:
        return EncoderSpec(
            encoder=encoder,
            name=row["encoder"],
            modality=modality,
            technique=row["technique"],
            foundation_model=row["foundation_model"] == "true",
            domain=row["domain"],
            training_data=row["training_data"],
            saw_mimic=row["saw_mimic"],
            saw_mimic_source=row["saw_mimic_source"],
            dimension=int(row["dimension"]) if row["dimension"] else None,
            hub_id=row["hub_id"],
            revision=row["revision"],
            licence=row["licence"],
            citation=row["citation"],
        )
    except KeyError as error:
        raise CharthouseError(f"{path} has no column {error.args[0]}.") from None


def encoder_spec(project: Path, name: str) -> EncoderSpec:
    """The encoder of that name.

    Raises:
        CharthouseError: there is none; says which are near.
    """
    specs = encoder_specs(project)
    require_registered("encoder", name, specs)
    return specs[name]


def encoder_class(name: str) -> "type[Encoder]":
    """The class of an encoder: TfidfSvd in charthouse.models.encoders.tfidf_svd for tfidf_svd.

    Raises:
        CharthouseError: a row without a class, or a package that is not installed or is broken.
    """
    found: type[Encoder] = class_named("encoders", "encoder", name)
    return found


def unsuited(cls: "type[Encoder]", context: "Context") -> str | None:
    """Why an encoder cannot run on a modality, or under these settings; None if it can."""
    if cls.reads == "grid" and not context.spec.modality.grid:
        return f"{context.spec.name} reads bins, and {context.spec.modality.name} has none."
    return cls.unsuited(context)


def why_not_ready(context: "Context") -> str | None:
    """Why the encoder cannot run on this cohort without fetching or sending; None if it can."""
    try:
        cls = encoder_class(context.spec.name)
        return unsuited(cls, context) or cls.not_ready(context.spec)
    except CharthouseError as error:
        return str(error)

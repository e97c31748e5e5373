"""Which encoders there are: rows of seeds/registries/encoders.csv.

Their classes are in modules of the same names.

Reading the registry imports none of them; `encoder_class` imports one.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from charthouse.core.errors import CharthouseError
from charthouse.core.modalities import Modality, modalities, modality_kinds
from charthouse.core.registry import class_named, read_seed, require_registered
from charthouse.models.encoders.spec import EncoderRow, EncoderSpec

if TYPE_CHECKING:
    from charthouse.models.encoders.base import Context, Encoder


def encoder_specs(project: Path) -> dict[str, EncoderSpec]:
    """Specs of every encoder for every modality of its kind, by the name of its vectors.

    In the order of seeds/registries/encoders.csv.

    Raises:
        CharthouseError: The seed is missing, or a row is not valid; the message names the row.

    Example:
        >>> from charthouse.core.project import project_dir
        >>> swin = encoder_specs(project_dir())["swin"]
        >>> swin.modality.name, swin.dimension, swin.saw_mimic
        ('image', 1024, 'no')
    """
    of_kind: dict[str, list[Modality]] = {}
    for modality in modalities(project):
        of_kind.setdefault(modality.kind, []).append(modality)
    specs = {}
    for row in read_seed(
        project,
        "encoders",
        EncoderRow,
        mend="docs/how-to/add-an-encoder.md shows a row.",
        context=modality_kinds(project),
    ):
        for place, modality in enumerate(of_kind.get(row.kind, ())):
            encoder = f"{row.encoder}__{modality.name}" if place else row.encoder
            columns = vars(row) | {"encoder": encoder}
            specs[encoder] = EncoderSpec(**columns, name=row.encoder, modality=modality)
    return specs


def encoder_spec(project: Path, name: str) -> EncoderSpec:
    """The encoder of that name.

    Raises:
        CharthouseError: there is none; says which are near.

    Example:
        >>> spec = encoder_spec(project, "swin")
        >>> spec.dimension, spec.modality.name, spec.saw_mimic
        (1024, 'image', 'no')
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
    modality = context.spec.modality
    if cls.reads == "grid" and not modality.grid:
        return f"{context.spec.name} reads bins, and {modality.name} has none."
    if cls.reads == "events" and modality.fill:
        return (
            f"{context.spec.name} reads when a value was charted, not until when it held, and would"
            f" not see that one of marts.{modality.rows} ended: use an encoder that reads"
            f" marts.{modality.grid}, such as summary or fixed_interval."
        )
    return cls.unsuited(context)


def why_not_ready(context: "Context") -> str | None:
    """Why the encoder cannot run on this cohort without fetching or sending; None if it can."""
    try:
        cls = encoder_class(context.spec.name)
        return unsuited(cls, context) or cls.not_ready(context.spec)
    except CharthouseError as error:
        return str(error)

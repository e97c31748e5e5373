"""What a row of seeds/registries/encoders.csv says of an encoder."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator

from charthouse.core.modalities import Kind, Modality
from charthouse.core.registry import BLANK_IS_NONE, Filled, Positive, SawMimic, YesNo, written_as

NOT_ENCODERS = ("encoded", "skipped", "fitted", "current_vectors")
"""Other relations of the schema embeddings."""


def _is_free(name: str) -> str:
    if name in NOT_ENCODERS:
        raise ValueError(name)
    return name


@dataclass(frozen=True)
class EncoderRow:
    """A row of seeds/registries/encoders.csv (Table I of the paper, and more)."""

    encoder: Annotated[str, written_as("[a-z][a-z0-9]*(_[a-z0-9]+)*"), AfterValidator(_is_free)]
    technique: str  # as the paper calls it
    kind: Kind
    foundation_model: YesNo
    domain: str
    training_data: str
    saw_mimic: SawMimic
    saw_mimic_source: Filled  # who says so, or why nobody knows
    dimension: Annotated[Positive | None, BLANK_IS_NONE]  # None: depends on the cohort
    hub_id: str  # on the Hugging Face hub, or the provider's name of the model; '' for none
    revision: str
    licence: str
    citation: str


@dataclass(frozen=True, kw_only=True)
class EncoderSpec(EncoderRow):
    """The same for one modality of its kind."""

    # `encoder`, of its vectors, is the row's name; __<modality> follows but for the kind's first
    name: str  # of the row, of its class and its weights
    modality: Modality

    @property
    def part(self) -> tuple[str, str]:
        """What it encodes: kind and name in marts.content_hashes."""
        return "modality", self.modality.name

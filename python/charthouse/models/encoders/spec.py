"""What a row of seeds/encoders.csv says of an encoder."""

from dataclasses import dataclass

from charthouse.core.modalities import Modality


@dataclass(frozen=True)
class EncoderSpec:
    """A row of seeds/encoders.csv (Table I of the paper, and more), for a modality of its kind."""

    encoder: str  # of its vectors: the row's name; __<modality> follows but for the kind's first
    name: str  # of the row, of its class and its weights
    modality: Modality
    technique: str  # as the paper calls it
    foundation_model: bool
    domain: str
    training_data: str
    saw_mimic: str  # yes, no or unknown: before it came here, any MIMIC
    saw_mimic_source: str  # who says so, or why nobody knows
    dimension: int | None  # None: depends on the cohort
    hub_id: str  # on the Hugging Face hub, or the provider's name of the model; '' for none
    revision: str
    licence: str
    citation: str

    @property
    def part(self) -> tuple[str, str]:
        """What it encodes: kind and name in marts.content_hashes."""
        return "modality", self.modality.name

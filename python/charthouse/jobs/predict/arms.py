"""Arms, the models of the benchmark: each a combination of encoders, by its name.

``structured[gru]+image[swin]`` is demographics and the GRU's time series, and Swin's images.
``structured[demographics]`` has no time series; ``image[swin]`` has images alone. Several encoders
of a modality stand between commas: ``structured[gru,moment]``. Any other modality is a part of its
own, by its name in vars.modalities. ``presence`` has no content: only which modalities of the paper
a stay has.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

from pydantic import PlainValidator, ValidationInfo

from charthouse.core.errors import CharthouseError
from charthouse.core.registry import read_seed
from charthouse.models.encoders.spec import EncoderSpec
from charthouse.models.fusions.block import PRESENCE

BEST = "best"
STRUCTURED = "structured"


@dataclass(frozen=True)
class Arm:
    """A set of encoders."""

    # slot to its encoders, by the names of their vectors, in the order of vars.modalities; empty
    # for `presence`
    parts: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def name(self) -> str:
        """As the results have it."""
        if not self.parts:
            return PRESENCE
        return "+".join(
            f"{slot}[{','.join(encoder.partition('__')[0] for encoder in encoders)}]"
            for slot, encoders in self.parts
        )

    @property
    def encoders(self) -> tuple[str, ...]:
        """Every encoder whose vectors it reads."""
        named = [name for _, encoders in self.parts for name in encoders]
        if self.parts and self.parts[0][0] == STRUCTURED and "demographics" not in named:
            named.insert(0, "demographics")
        return tuple(named)

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of its blocks: its encoders, or PRESENCE."""
        return self.encoders or (PRESENCE,)

    def parts_read(self, encoders: Mapping[str, EncoderSpec]) -> list[tuple[str, str]]:
        """What it rests on: kinds and names in marts.content_hashes."""
        if not self.parts:
            return [spec.part for spec in encoders.values() if spec.modality.in_paper]
        return [encoders[name].part for name in self.encoders]

    @property
    def slots(self) -> tuple[str, ...]:
        """Names of its parts."""
        return tuple(slot for slot, _ in self.parts)

    @property
    def uses_images(self) -> bool:
        """Whether it reads images, or, as `presence` does, that there are any."""
        return "image" in self.slots or not self.parts

    @property
    def needs_best(self) -> bool:
        """Whether it builds on the best time-series baseline, whichever that is."""
        return (STRUCTURED, (BEST,)) in self.parts

    def on(self, baseline: "Arm") -> "Arm":
        """The same with a baseline's structured part in place of `best`."""
        parts = dict(self.parts)
        if self.needs_best:
            parts[STRUCTURED] = dict(baseline.parts)[STRUCTURED]
        return Arm(tuple(parts.items()))

    def without(self, *slots: str) -> "Arm":
        """The same without some of its parts."""
        return Arm(tuple(part for part in self.parts if part[0] not in slots))


def parse_arm(name: str, encoders: Mapping[str, EncoderSpec]) -> Arm:
    """The arm of that name, its parts in the order of vars.modalities.

    Raises:
        CharthouseError: it is no arm, or an encoder in it is unknown or of another modality.

    Example:
        >>> from charthouse.models.encoders.registry import encoder_specs
        >>> arm = parse_arm("text[radbert] + structured[gru]", encoder_specs(project))
        >>> arm.name, arm.encoders
        ('structured[gru]+text[radbert]', ('demographics', 'gru', 'radbert'))
    """
    if name == PRESENCE:
        return Arm(())
    slots = dict.fromkeys(spec.modality.slot for spec in _in_order(encoders))
    found: dict[str, tuple[str, ...]] = {}
    for part in name.split("+"):
        match = re.fullmatch(r"(\w+)\[(\w+(?:,\w+)*)\]", part.strip())
        if not match or match[1] not in slots or match[1] in found:
            raise CharthouseError(
                f"'{name}' is no arm. Write it like structured[gru]+image[swin]+text[radbert], or"
                f" {PRESENCE}: any of {', '.join(slots)}, each once, its encoders in brackets."
            )
        found[match[1]] = tuple(
            _vectors(name, match[1], each, encoders) for each in dict.fromkeys(match[2].split(","))
        )
    return Arm(tuple((slot, found[slot]) for slot in slots if slot in found))


def best_first(auroc: Mapping[str, float | None]) -> Callable[[str], tuple[float, str]]:
    """Sorts names of arms by their AUROC, wherever the best of them is picked.

    Of equally good ones the first in the alphabet comes first; without an AUROC one comes last.
    """

    def place(name: str) -> tuple[float, str]:
        value = auroc.get(name)
        return (math.inf if value is None or math.isnan(value) else -value, name)

    return place


def _in_order(encoders: Mapping[str, EncoderSpec]) -> list[EncoderSpec]:
    return sorted(encoders.values(), key=lambda spec: spec.modality.position)


def _vectors(arm: str, slot: str, encoder: str, encoders: Mapping[str, EncoderSpec]) -> str:
    """The name of an encoder's vectors of the modality that the slot is of; BEST is itself."""
    if (slot, encoder) == (STRUCTURED, BEST):
        return BEST
    fitting = {spec.name: key for key, spec in encoders.items() if spec.modality.slot == slot}
    if encoder in fitting:
        return fitting[encoder]
    near = get_close_matches(encoder, fitting, n=1)
    advice = f"Did you mean '{near[0]}'?" if near else f"It may be {', '.join(fitting)}."
    raise CharthouseError(f"'{arm}': '{encoder}' is no encoder for {slot}. {advice}")


def _parsed(name: str, info: ValidationInfo) -> Arm:
    """By the encoders in the context."""
    return parse_arm(name, info.context or {})


@dataclass(frozen=True)
class DefaultArm:
    """A row of seeds/registries/arms.csv."""

    arm: Annotated[Arm, PlainValidator(_parsed)]
    purpose: Literal["paper", "honest", "classical", "added"]
    question: str  # which it is there to answer

    @property
    def is_candidate(self) -> bool:
        """Whether it is one of the baselines of which the best is picked."""
        return self.purpose == "paper" and self.arm.slots == (STRUCTURED,)


def default_arms(project: Path, encoders: Mapping[str, EncoderSpec]) -> list[DefaultArm]:
    """What is fitted when no arm is named.

    Raises:
        CharthouseError: the seed is not there, or a row of it is broken; says which and how.
    """
    return read_seed(project, "arms", DefaultArm, context=encoders)

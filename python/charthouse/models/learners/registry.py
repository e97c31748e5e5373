"""Which learners there are: rows of seeds/registries/learners.csv, and their families."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

from charthouse.core.registry import (
    BLANK_IS_NONE,
    Filled,
    Name,
    Positive,
    SawMimic,
    class_named,
    read_seed,
    require_registered,
    written_as,
)
from charthouse.models.learners.base import Family


def _both_or_neither(price: float | None, info: ValidationInfo) -> float | None:
    other = info.data.get("usd_per_million_input", price)  # absent where it is wrong itself
    if (price is None) != (other is None):
        raise ValueError(price)
    return price


Price = Annotated[Annotated[float, written_as(r"[0-9]+(\.[0-9]+)?")] | None, BLANK_IS_NONE]
"""None: costs nothing, or nobody knows."""


@dataclass(frozen=True)
class LearnerSpec:
    """A row of seeds/registries/learners.csv."""

    learner: Name
    family: Name  # module and class of charthouse.models.learners
    technique: str  # as papers call it
    domain: str
    training_data: str
    saw_mimic: SawMimic
    saw_mimic_source: Filled  # who says so, or why nobody knows
    hub_id: str  # on the Hugging Face hub, or the provider's name of the model
    revision: str
    licence: str
    context_tokens: Positive
    usd_per_million_input: Price
    usd_per_million_output: Annotated[Price, AfterValidator(_both_or_neither)]
    citation: str

    @property
    def name(self) -> str:
        """As weights know it (charthouse.models.weights)."""
        return self.learner


def learner_specs(project: Path) -> dict[str, LearnerSpec]:
    """Specs of every multimodal learner by name, in the order of seeds/registries/learners.csv.

    Raises:
        CharthouseError: The seed is missing, or a row is not valid; the message names the row.

    Example:
        >>> from charthouse.core.project import project_dir
        >>> learner_specs(project_dir())["gemma3_4b"].family
        'gemma3'
    """
    specs = read_seed(
        project, "learners", LearnerSpec, mend="docs/how-to/add-a-learner.md shows a row."
    )
    return {spec.learner: spec for spec in specs}


def learner_spec(project: Path, name: str) -> LearnerSpec:
    """The learner of that name.

    Raises:
        CharthouseError: there is none; says which are near.

    Example:
        >>> learner_spec(project, "llava_1_5_7b").context_tokens
        4096
    """
    specs = learner_specs(project)
    require_registered("learner", name, specs)
    return specs[name]


def family_of(spec: LearnerSpec) -> Family:
    """The family of a learner: Qwen25Vl in charthouse.models.learners.qwen2_5_vl for qwen2_5_vl.

    Raises:
        CharthouseError: a row without a class.
    """
    family: Family = class_named("learners", "family", spec.family)()
    return family

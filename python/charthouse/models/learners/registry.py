"""Which learners there are: rows of seeds/learners.csv, and their families."""

import re
from dataclasses import dataclass
from pathlib import Path

from charthouse.core.errors import CharthouseError
from charthouse.core.registry import (
    class_named,
    contamination_faults,
    require_registered,
    seed_rows,
)
from charthouse.models.learners.base import Family


@dataclass(frozen=True)
class LearnerSpec:
    """A row of seeds/learners.csv."""

    learner: str
    family: str  # module and class of charthouse.models.learners
    technique: str  # as papers call it
    domain: str
    training_data: str
    saw_mimic: str  # yes, no or unknown: any MIMIC
    saw_mimic_source: str  # who says so, or why nobody knows
    hub_id: str  # on the Hugging Face hub, or the provider's name of the model
    revision: str
    licence: str
    context_tokens: int
    usd_per_million_input: float | None  # None: costs nothing, or nobody knows
    usd_per_million_output: float | None
    citation: str

    @property
    def name(self) -> str:
        """As weights know it (charthouse.models.weights)."""
        return self.learner


def learner_specs(project: Path) -> dict[str, LearnerSpec]:
    """Every learner by name, in the order of the seed.

    Raises:
        CharthouseError: the seed is not there, or a row of it is broken; says which and how.
    """
    path = project / "seeds/learners.csv"
    specs = (_spec(row, path, line) for line, row in seed_rows(project, "learners"))
    return {spec.learner: spec for spec in specs}


def learner_spec(project: Path, name: str) -> LearnerSpec:
    """The learner of that name.

    Raises:
        CharthouseError: there is none; says which are near.
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


def _spec(row: dict[str, str], path: Path, line: int) -> LearnerSpec:
    if row.keys() != LearnerSpec.__dataclass_fields__.keys():
        wanted = ", ".join(LearnerSpec.__dataclass_fields__)
        raise CharthouseError(f"{path} must have the columns {wanted}.")
    price = r"\d+(\.\d+)?|"
    faults = {
        "learner": re.fullmatch("[a-z][a-z0-9_]*", row["learner"]),
        "family": re.fullmatch("[a-z][a-z0-9_]*", row["family"]),
        "context_tokens": re.fullmatch("[1-9][0-9]*", row["context_tokens"]),
        "usd_per_million_input": re.fullmatch(price, row["usd_per_million_input"]),
        "usd_per_million_output": re.fullmatch(price, row["usd_per_million_output"]),
    } | contamination_faults(row)
    if bool(row["usd_per_million_input"]) != bool(row["usd_per_million_output"]):
        faults["usd_per_million_output"] = None  # both prices, or neither
    if broken := [name for name, is_right in faults.items() if not is_right]:
        raise CharthouseError(
            f"{path}, line {line}: wrong {' and '.join(broken)}. docs/add-a-learner.md shows a row."
        )
    numbers = {
        name: float(row[name]) if row[name] else None
        for name in ("usd_per_million_input", "usd_per_million_output")
    }
    return LearnerSpec(**row | numbers | {"context_tokens": int(row["context_tokens"])})  # type: ignore[arg-type]

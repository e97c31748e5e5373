"""Which arms are compared, and what each comparison asks."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from charthouse.jobs.evaluate.scored import CXR_YEARS, POPULATIONS, Scored
from charthouse.jobs.predict.arms import STRUCTURED, Arm
from charthouse.models.fusions.block import PRESENCE
from charthouse.stats.multiplicity import resamples_needed


@dataclass(frozen=True, eq=False)
class PlannedComparison:
    """Is an arm better than another? p-values are corrected within a family of questions."""

    name: str
    arm: Scored
    other: Scored

    @property
    def arms(self) -> tuple[Scored, Scored]:
        """The two."""
        return self.arm, self.other

    @property
    def family(self) -> tuple[str, str]:
        """Its name, and the fusion of the arm: asked by one more, the others' p-values stay."""
        return self.name, self.arm.fusion

    @property
    def adds(self) -> bool:
        """Whether the arm has all that the other has, and more."""
        return self.name.startswith("adds ")


def plan_comparisons(scored: Sequence[Scored], default_fusion: str) -> list[PlannedComparison]:
    """Every pair that differs in one thing: all but the last within each fusion that scored both.

    - adds image, adds text, adds image and text, adds time series: with it, minus without;
    - content beyond presence: what was measured, minus that it was measured;
    - time series encoder, image encoder, text encoder: one in the place of another;
    - fusion: another, minus the default.
    """
    by_name = {(each.arm.name, each.fusion): each for each in scored}
    found: list[PlannedComparison] = []
    for each in scored:
        for name, other in _lesser(each, default_fusion):
            if other in by_name:
                found.append(PlannedComparison(name, each, by_name[other]))
    for first, second in combinations(scored, 2):
        if first.fusion == second.fusion and (slot := _only_difference(first, second)):
            what = "time series" if slot == STRUCTURED else slot
            found.append(PlannedComparison(f"{what} encoder", first, second))
    return found


def populations_of(by_era: bool, *arms: Arm) -> tuple[str, ...]:
    """In which populations arms are compared, the first of them the main one.

    MIMIC-CXR covers some years. Split by era, train and test lie otherwise to those years: an arm
    that uses images would be measured by how many of its stays could have one at all.
    """
    if by_era and any(arm.uses_images for arm in arms):
        return (CXR_YEARS,)
    return tuple(POPULATIONS)


def resamples_by_family(
    asked: Sequence[PlannedComparison], n_bootstrap: int
) -> dict[tuple[str, str], int]:
    """How many resamples the comparisons of a family rest on: the more, the more are asked."""
    pairs = Counter(question.family for question in asked)
    return {family: resamples_needed(n_bootstrap, n) for family, n in pairs.items()}


def _lesser(each: Scored, default_fusion: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """What an arm is measured against: the question, and name and fusion of the other."""
    arm, fusion = each.arm, each.fusion
    optional = [slot for slot in arm.slots if slot != STRUCTURED]
    if optional and len(arm.slots) > len(optional):
        for slot in optional:
            yield f"adds {slot}", (arm.without(slot).name, fusion)
        if len(optional) > 1:
            yield f"adds {' and '.join(optional)}", (arm.without(*optional).name, fusion)
    if arm.slots == (STRUCTURED,):
        if arm.encoders != ("demographics",):
            yield "adds time series", (f"{STRUCTURED}[demographics]", fusion)
        yield "content beyond presence", (PRESENCE, fusion)
    if fusion != default_fusion:
        yield "fusion", (arm.name, default_fusion)


def _only_difference(first: Scored, second: Scored) -> str | None:
    """The one slot in which two arms of the same slots have other encoders."""
    if first.arm.slots != second.arm.slots:
        return None
    pairs = zip(first.arm.parts, second.arm.parts, strict=True)
    differing = [one[0] for one, other in pairs if one != other]
    demographics_alone = ("demographics",) in (first.arm.encoders, second.arm.encoders)
    return differing[0] if len(differing) == 1 and not demographics_alone else None

"""A few arms that represent all of them, where all would be too many."""

from collections.abc import Collection, Mapping, Sequence

from charthouse.jobs.predict.arms import STRUCTURED, best_first
from charthouse.models.fusions.block import PRESENCE

MOST_ARMS = 6
"""Sets of modalities: structured, and what is added to it; of the paper, image, text, both."""


def one_per_modalities(arms: Collection[str], validation: Mapping[str, float]) -> list[str]:
    """One arm for each set of modalities.

    The structured arm is the best on validation of those that others build on; the others are each
    the best on validation of those that build on it. So each differs from the first by
    what it adds. `arms` are names, all of one fusion; of equally good ones the first in the
    alphabet is taken. An arm without an AUROC on validation comes last.
    """

    def best(among: Sequence[str]) -> list[str]:
        return sorted(among, key=best_first(validation))[:1]

    plain = [arm for arm in arms if _slots(arm) == (STRUCTURED,)]
    measured = [arm for arm in plain if arm != f"{STRUCTURED}[demographics]"] or plain
    built_on = [
        arm for arm in measured if any(other.startswith(f"{arm}+") for other in arms)
    ] or measured
    base = best(built_on)
    names = list(base)
    building = [arm for arm in arms if base and arm.startswith(f"{base[0]}+")]
    for slots in sorted({_slots(arm) for arm in building}, key=lambda slots: (len(slots), slots)):
        names += best([arm for arm in building if _slots(arm) == slots])
    if not names:  # none is structured: whatever there is
        others = [arm for arm in arms if arm != PRESENCE] or list(arms)
        names = sorted(others, key=best_first(validation))
    return names[:MOST_ARMS]


def _slots(arm: str) -> tuple[str, ...]:
    return tuple(part.split("[")[0] for part in arm.split("+"))

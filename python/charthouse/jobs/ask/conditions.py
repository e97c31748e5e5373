"""What of a stay a learner is shown: everything, a control, or a coalition for Shapley values.

The players, between which Shapley values divide a learner's P(yes), are the modalities that
profiles tell of (the setting profile_sections); that of the picture has no other section.
"""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from charthouse.core.errors import CharthouseError

Picture = Literal["own", "none", "blank", "other"]

FULL = "full"
IMAGE = "image"
"""The modality whose latest picture is shown."""

CONTROLS = ("text_only", "image_only", "blank_image", "other_image")
"""Whether a learner uses the picture is answered by these, beside `full`."""


@dataclass(frozen=True)
class Condition:
    """A way to ask about a stay."""

    name: str  # as in results.answers
    sections: tuple[str, ...]  # of the profile, those that are told
    # the stay's own latest X-ray; none; a blank of the same size; or another patient's
    picture: Picture

    @property
    def needs_picture(self) -> bool:
        """Asked only of stays that have one: without, there is nothing to compare `full` with."""
        return self.name != FULL


def sections_of(players: Sequence[str]) -> tuple[str, ...]:
    """Those that are told in words."""
    return tuple(player for player in players if player != IMAGE)


def coalitions(players: Sequence[str]) -> tuple[Condition, ...]:
    """Every set of players, from nothing to `full`: 16 of four."""
    return tuple(
        _coalition(some, players)
        for size in range(len(players) + 1)
        for some in itertools.combinations(players, size)
    )


def conditions(players: Sequence[str]) -> dict[str, Condition]:
    """By name, the most wanted first."""
    told = sections_of(players)
    by_name = {condition.name: condition for condition in coalitions(players)} | {
        "blank_image": Condition("blank_image", told, "blank"),
        "other_image": Condition("other_image", told, "other"),
    }
    return {name: by_name[name] for name in dict.fromkeys((FULL, *CONTROLS, *by_name))}


def condition_named(name: str, players: Sequence[str]) -> Condition:
    """Looks a condition up; the players of a coalition may stand in any order.

    Raises:
        CharthouseError: there is none of that name.
    """
    if found := re.fullmatch(r"given\[(.*)\]", name):
        named = {player.strip() for player in found[1].split("+")} - {""}
        if named <= set(players):
            return _coalition(tuple(each for each in players if each in named), players)
    known = conditions(players)
    if name not in known:
        raise CharthouseError(
            f"--condition '{name}' is none of {', '.join((FULL, *CONTROLS))}, or a coalition such"
            f" as given[{'+'.join(players[:2])}]."
        )
    return known[name]


def _coalition(some: tuple[str, ...], players: Sequence[str]) -> Condition:
    told = sections_of(some)
    names = {tuple(players): FULL, sections_of(players): "text_only", (IMAGE,): "image_only"}
    name = names.get(some, f"given[{'+'.join(some)}]")
    return Condition(name, told, "own" if IMAGE in some else "none")

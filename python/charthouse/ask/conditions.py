"""What of a stay a learner is shown: everything, a control, or a coalition for Shapley values."""

import itertools
import re
from dataclasses import dataclass
from typing import Literal

from charthouse.errors import CharthouseError

Picture = Literal["own", "none", "blank", "other"]

SECTIONS = ("demographics", "vitals", "reports")
PLAYERS = ("demographics", "vitals", "image", "reports")
"""Between which Shapley values divide a learner's P(yes)."""


@dataclass(frozen=True)
class Condition:
    """A way to ask about a stay.

    Attributes:
        name: As in results.answers.
        sections: Of the profile, those that are told.
        picture: The stay's own latest X-ray; none; a blank of the same size; or another patient's.
    """

    name: str
    sections: tuple[str, ...]
    picture: Picture

    @property
    def needs_picture(self) -> bool:
        """Asked only of stays that have one: without, there is nothing to compare `full` with."""
        return self.name != FULL


FULL = "full"


def _coalition(players: tuple[str, ...]) -> Condition:
    names = {
        PLAYERS: FULL,
        ("demographics", "vitals", "reports"): "text_only",
        ("image",): "image_only",
    }
    name = names.get(players, f"given[{'+'.join(players)}]")
    told = tuple(section for section in SECTIONS if section in players)
    return Condition(name, told, "own" if "image" in players else "none")


COALITIONS = tuple(
    _coalition(players)
    for size in range(len(PLAYERS) + 1)
    for players in itertools.combinations(PLAYERS, size)
)
"""All 16, from nothing to `full`."""

CONTROLS = ("text_only", "image_only", "blank_image", "other_image")
"""Whether a learner uses the picture is answered by these, beside `full`."""

_BY_NAME = {condition.name: condition for condition in COALITIONS} | {
    "blank_image": Condition("blank_image", SECTIONS, "blank"),
    "other_image": Condition("other_image", SECTIONS, "other"),
}
CONDITIONS = {name: _BY_NAME[name] for name in dict.fromkeys((FULL, *CONTROLS, *_BY_NAME))}
"""By name, the most wanted first."""


def condition_named(name: str) -> Condition:
    """Looks a condition up; the players of a coalition may stand in any order.

    Raises:
        CharthouseError: there is none of that name.
    """
    if found := re.fullmatch(r"given\[(.*)\]", name):
        players = {player.strip() for player in found[1].split("+")} - {""}
        if players <= set(PLAYERS):
            return _coalition(tuple(player for player in PLAYERS if player in players))
    if name not in CONDITIONS:
        raise CharthouseError(
            f"--condition '{name}' is none of {', '.join((FULL, *CONTROLS))}, or a coalition such"
            f" as given[{'+'.join(PLAYERS[:2])}]."
        )
    return CONDITIONS[name]

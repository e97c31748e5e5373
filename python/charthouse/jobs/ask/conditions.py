"""What of a stay a learner is shown: everything, a control, or a coalition for Shapley values.

A profile has a section for each modality that the setting profile_sections names; that of the
picture is the picture. A coalition is a set of sections, and is named for them, however they are
grouped for Shapley values: an answer serves under every grouping.
"""

import itertools
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from charthouse.core.errors import CharthouseError

Picture = Literal["own", "none", "blank", "other"]

FULL = "full"
IMAGE = "image"
"""The modality whose latest picture is shown."""

MOST_GROUPS = 5
"""Of sections, for Shapley values: every set of them is asked, 32 of five."""

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


def worded(sections: Sequence[str]) -> tuple[str, ...]:
    """Those that are told in words."""
    return tuple(section for section in sections if section != IMAGE)


def subsets(players: Sequence[str]) -> list[frozenset[str]]:
    """Every set of players, from the empty one to all, in a fixed order: 16 of four."""
    return [
        frozenset(some)
        for size in range(len(players) + 1)
        for some in itertools.combinations(players, size)
    ]


def coalitions(sections: Sequence[str], groups: Sequence[str] = ()) -> tuple[Condition, ...]:
    """For each of subsets(groups) what is shown, from nothing to `full`.

    Args:
        sections: Of profiles, in their order.
        groups: Sections that are shown or withheld together, such as vitals+labs; each section is
            in one. None: each by itself.

    Example:
        >>> found = coalitions(("vitals", "labs", "image"), ("vitals+labs", "image"))
        >>> [each.name for each in found]
        ['given[]', 'text_only', 'image_only', 'full']
    """
    return tuple(
        _coalition([section for group in some for section in group.split("+")], sections)
        for some in subsets(groups or sections)
    )


def conditions(sections: Sequence[str]) -> dict[str, Condition]:
    """By name, the most wanted first."""
    told = worded(sections)
    by_name = {condition.name: condition for condition in coalitions(sections)}
    if IMAGE in sections:
        by_name |= {
            "blank_image": Condition("blank_image", told, "blank"),
            "other_image": Condition("other_image", told, "other"),
        }
    first = [name for name in (FULL, *CONTROLS) if name in by_name]
    return {name: by_name[name] for name in dict.fromkeys((*first, *by_name))}


def condition_named(name: str, sections: Sequence[str]) -> Condition:
    """Looks a condition up; the sections of a coalition may stand in any order.

    Raises:
        CharthouseError: there is none of that name.
    """
    if found := re.fullmatch(r"given\[(.*)\]", name):
        named = {section.strip() for section in found[1].split("+")} - {""}
        if named <= set(sections):
            return _coalition(named, sections)
    known = conditions(sections)
    if name not in known:
        named_so = ", ".join(each for each in (FULL, *CONTROLS) if each in known)
        raise CharthouseError(
            f"--condition '{name}' is none of {named_so}, or a coalition such as"
            f" given[{'+'.join(sections[:2])}]."
        )
    return known[name]


def _coalition(members: Collection[str], sections: Sequence[str]) -> Condition:
    """Those of the sections, in their order: so that a set of them has one name."""
    some = tuple(section for section in sections if section in members)
    # without a picture the profile is all there is
    names = {(IMAGE,): "image_only", worded(sections): "text_only", tuple(sections): FULL}
    name = names.get(some, f"given[{'+'.join(some)}]")
    return Condition(name, worded(some), "own" if IMAGE in some else "none")

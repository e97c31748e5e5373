"""How every picture looks: colours and shapes, the font, axes, which colour is which modality."""

import itertools
from collections.abc import Collection, Sequence
from typing import Any

import altair as alt

from charthouse.jobs.evaluate.scored import ALL, COMPLETE, CXR_YEARS
from charthouse.models.fusions.block import PRESENCE

FONT = "Liberation Sans, Arial, sans-serif"  # vl-convert brings the first: the same everywhere
INK, SOFT, FAINT, PALE, PAPER = "#222222", "#666666", "#dddddd", "#eeeeee", "#ffffff"
WARNING = "#b3261e"
# Okabe and Ito's colours, which the colour-blind can tell apart; each has its shape besides
BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"
)  # fmt: skip
CONFIG: dict[str, Any] = {
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK, "titleColor": INK, "titleFontWeight": "normal", "labelFontSize": 12,
        "titleFontSize": 12, "gridColor": FAINT, "gridWidth": 0.6, "domainColor": SOFT,
        "tickColor": SOFT,
    },
    "title": {
        "anchor": "start", "frame": "group", "fontSize": 12, "fontWeight": "normal", "color": INK,
        "offset": 8,
    },
}  # fmt: skip
CROSS = "M-1,-1L1,1M-1,1L1,-1"
DASHES = [4, 3]
NOTHING = alt.Data(values=[{}])
"""Data of what is drawn once, at a place."""

Key = tuple[str, str]
"""Colour and shape of a series; the shape `hollow` is a circle that is white inside."""

SERIES: Sequence[Key] = (
    (BLUE, "circle"), (ORANGE, "square"), (GREEN, "diamond"), (PURPLE, "triangle-up"),
    (VERMILLION, "triangle-down"), (SKY, "cross"),
)  # fmt: skip
POPULATIONS = {ALL: "all stays", COMPLETE: "complete cases", CXR_YEARS: "MIMIC-CXR years"}


def series_of(names: Sequence[str]) -> dict[str, Key]:
    """A colour and a shape for each; colours go round, each time with other shapes."""
    count = len(SERIES)
    return {
        name: (SERIES[at % count][0], SERIES[(at + at // count) % count][1])
        for at, name in enumerate(names)
    }


_MODALITIES = (BLUE, ORANGE, GREEN, VERMILLION, SKY)


def modality_colours(modalities: Sequence[str]) -> dict[str, str]:
    """Of each modality, in the order of marts.modalities, and of presence: the same everywhere."""
    measured = [name for name in modalities if name != "demographics"]
    colours = dict(zip(measured, itertools.cycle(_MODALITIES), strict=False))
    return {"demographics": "#999999", **colours, PRESENCE: PURPLE}


def group_colours(groups: Collection[str], modalities: Sequence[str]) -> dict[str, str]:
    """Of groups of modalities such as vitals+labs, at most five: none has that of another.

    A group has the colour of its first modality, unless a group before it has that already.
    """
    own = modality_colours(modalities)
    first = {group: group.partition("+")[0] for group in groups}
    found: dict[str, str] = {}
    for group in sorted(groups, key=lambda group: [*own].index(first[group])):
        choices = (own[first[group]], *_MODALITIES)
        found[group] = next(each for each in choices if each not in found.values())
    return found


_DARK = {INK: "#edebe8", SOFT: "#a9a5a0", FAINT: "#4a4742", PALE: "#33302c", PAPER: "#171614",
         WARNING: "#f2919a", BLUE: "#4da3d9"}  # fmt: skip


def adaptive(colour: str) -> str:
    """A colour of the frame as CSS that is right on a light page and on a dark one."""
    return f"light-dark({colour}, {_DARK[colour]})" if colour in _DARK else colour


def adapted(drawn: Any) -> Any:
    """A specification for a page that may be dark: a browser draws it, so CSS may decide."""
    if isinstance(drawn, dict):
        return {key: adapted(of) for key, of in drawn.items()}
    if isinstance(drawn, list):
        return [adapted(of) for of in drawn]
    return adaptive(drawn) if isinstance(drawn, str) else drawn


def spec(chart: Any, **config: Any) -> dict[str, Any]:
    """A whole chart as Vega-Lite reads it, in our look; `config` is more of its configuration."""
    with alt.data_transformers.enable("default", max_rows=None):
        return chart.to_dict(validate=False) | {"config": CONFIG | config}


def limits_of(numbers: Sequence[float | None]) -> tuple[float, float]:
    """Ends of an axis that holds all of them, with some air."""
    known = [number for number in numbers if number is not None and number == number] or [0.0, 1.0]
    low, high = min(known), max(known)
    air = max((high - low) * 0.06, 0.01)
    return low - air, high + air


def text(lines: Sequence[str], x: float, y: float, **look: Any) -> alt.Chart:
    """Words at a place of a chart, in pixels; the first line's upper left corner, unless told."""
    usual: dict[str, Any] = {"align": "left", "baseline": "top", "fontSize": 12, "lineHeight": 15,
                             "color": INK}  # fmt: skip
    return alt.Chart(NOTHING).mark_text(text=list(lines), x=x, y=y, **(usual | look))

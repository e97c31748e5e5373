"""From all ICU stays to the splits, as a flow diagram."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import altair as alt
import pandas as pd

from charthouse.views.figures import style
from charthouse.views.figures.rows import Figure

_WIDTH, _MAIN, _RULES, _RIGHT = 960, 250, 540, 420
_BOX, _LINE, _ARROW = 44, 16, 28
_AIR = 14

Row = dict[str, Any]


def attrition(steps: Sequence[Row], splits: Sequence[Sequence[str]]) -> Figure:
    """Every rule with what it dropped; rules in a row that dropped nothing share a box.

    Args:
        steps: Rows of marts.cohort_attrition; the first is of all stays.
        splits: What is written into the box of each split, line by line.
    """
    middle, y = _MAIN / 2, float(_BOX)
    boxes = [_box(0, 0, _MAIN, _BOX, _counts(steps[0]["criterion"], steps[0]), "end")]
    lines: list[tuple[float, float, float, float]] = []
    arrows: list[tuple[float, float, float]] = []
    by_box = groupby(steps[1:], lambda row: row["step"] if row["stays_dropped"] else None)
    together = [(dropped, list(rules)) for dropped, rules in by_box]
    for at, (dropped, rules) in enumerate(together):
        height = max(len(rules) * _LINE + 2 * _AIR, _ARROW)
        kind = "silent" if dropped is None else "rule"
        boxes.append(
            _box(_RIGHT, y + _AIR / 2, _RULES, height - _AIR, list(map(_rule, rules)), kind)
        )
        lines.append((middle, y + height / 2, _RIGHT, y + height / 2))
        arrows.append((middle, y, y + height))
        y += height
        last = at == len(together) - 1
        words = _counts("in the cohort" if last else "left", rules[-1])
        boxes.append(_box(0, y, _MAIN, _BOX, words, "end" if last else "left"))
        y += _BOX
    width = (_WIDTH + 16) / max(len(splits), 1) - 16
    centres = [at * (width + 16) + width / 2 for at in range(len(splits))]
    fork = y + _ARROW * 0.7
    wide = [middle, *centres]
    lines += [(middle, y, middle, fork), (min(wide), fork, max(wide), fork)]
    height = max((len(words) for words in splits), default=1) * _LINE + _AIR
    for centre, of_split in zip(centres, splits, strict=True):
        arrows.append((centre, fork, fork + _ARROW))
        boxes.append(_box(centre - width / 2, fork + _ARROW, width, height, of_split, "left"))
    chart = alt.layer(
        *_drawn([box for box, _ in boxes], lines, arrows), *(words for _, words in boxes)
    )
    chart = chart.properties(width=_WIDTH, height=fork + _ARROW + height)
    return Figure(chart, {}, None, _WIDTH, 0)


def _drawn(
    boxes: Sequence[Row], lines: Sequence[tuple], arrows: Sequence[tuple]
) -> list[alt.Chart]:
    """Lines with their heads, and boxes over them; all places are pixels."""
    raw: Row = {"scale": None, "axis": None}
    at = {"x": alt.X("x:Q", **raw), "y": alt.Y("y:Q", **raw)}
    ends = {"x2": "x2:Q", "y2": "y2:Q"}
    shafts = [(x, start, x, end - 5) for x, start, end in arrows]
    ruled = pd.DataFrame([*lines, *shafts], columns=["x", "y", "x2", "y2"])
    heads = pd.DataFrame([(x, end - 5) for x, _, end in arrows], columns=["x", "y"])
    return [
        alt.Chart(ruled).mark_rule(color=style.SOFT).encode(**at, **ends),
        alt.Chart(heads)
        .mark_point(shape="triangle-down", filled=True, color=style.SOFT, size=60, opacity=1)
        .encode(**at),
        alt.Chart(pd.DataFrame(boxes))
        .mark_rect(cornerRadius=5, opacity=1)
        .encode(**at, **ends, stroke=alt.Stroke("edge:N", scale=None),
                fill=alt.Fill("face:N", scale=None)),
    ]  # fmt: skip


def _rule(row: Row) -> str:
    if not row["stays_dropped"]:
        return f"{row['criterion']}: drops none"
    return (
        f"{row['criterion']}: drops {row['stays_dropped']:,} stays,"
        f" {row['patients_dropped']:,} patients"
    )


def _counts(title: str, row: Row) -> list[str]:
    return [title, f"{row['stays']:,} stays, {row['patients']:,} patients"]


def _box(
    x: float, y: float, width: float, height: float, lines: Sequence[str], kind: str
) -> tuple[Row, alt.Chart]:
    """A box and its words: an end, what is left, a rule that drops, or one that is silent."""
    left = kind in ("rule", "silent")
    edge = {"rule": style.VERMILLION, "silent": style.FAINT}.get(kind, style.BLUE)
    face = "#eef5fa" if kind == "end" else "white"
    words = style.text(
        lines, x + 12 if left else x + width / 2, y + (height - _LINE * len(lines)) / 2 + 2,
        align="left" if left else "center", lineHeight=_LINE,
        fontWeight="bold" if kind == "end" else "normal",
        color=style.SOFT if kind == "silent" else style.INK,
    )  # fmt: skip
    return {"x": x, "y": y, "x2": x + width, "y2": y + height, "edge": edge, "face": face}, words

"""From all ICU stays to the splits, as a flow diagram."""

from collections.abc import Iterator, Sequence
from typing import Any

import altair as alt
import pandas as pd

from charthouse.views.figures import style
from charthouse.views.figures.rows import Figure

_WIDTH, _MAIN, _RULES, _RIGHT = 960, 250, 540, 420
_BOX, _LINE, _ARROW = 44, 16, 28
_AIR = 14

WEIGHTS: Any = (("true", "bold"), ("false", "normal"))
ALIGNED: Any = ("left", "center")

Row = dict[str, Any]


def attrition(steps: Sequence[Row], splits: Sequence[Sequence[str]]) -> Figure:
    """Every rule with what it dropped; rules in a row that dropped nothing share a box.

    Args:
        steps: Rows of marts.cohort_attrition; the first is of all stays.
        splits: What is written into the box of each split, line by line.
    """
    middle, y = _MAIN / 2, float(_BOX)
    boxes = [_box(0, 0, _MAIN, _BOX, _counts(steps[0]["criterion"], steps[0]), "end")]
    lines: list[tuple] = []
    arrows: list[tuple] = []
    together = list(_together(steps[1:]))
    for at, rules in enumerate(together):
        height = max(len(rules) * _LINE + 2 * _AIR, _ARROW)
        dropped = any(rule["stays_dropped"] for rule in rules)
        boxes.append(
            _box(_RIGHT, y + _AIR / 2, _RULES, height - _AIR, [_rule(rule) for rule in rules],
                 "rule" if dropped else "silent")
        )  # fmt: skip
        lines.append((middle, y + height / 2, _RIGHT, y + height / 2))
        arrows.append((middle, y, y + height))
        y += height
        last = at == len(together) - 1
        boxes.append(
            _box(
                0,
                y,
                _MAIN,
                _BOX,
                _counts("in the cohort" if last else "left", rules[-1]),
                "end" if last else "left",
            )
        )
        y += _BOX
    width = (_WIDTH + 16) / max(len(splits), 1) - 16
    centres = [at * (width + 16) + width / 2 for at in range(len(splits))]
    lines += [(middle, y, middle, y + _ARROW * 0.7),
              (min([middle, *centres]), y + _ARROW * 0.7, max([middle, *centres]),
               y + _ARROW * 0.7)]  # fmt: skip
    y += _ARROW * 0.7
    height = max((len(words) for words in splits), default=1) * _LINE + _AIR
    for centre, words in zip(centres, splits, strict=True):
        arrows.append((centre, y, y + _ARROW))
        boxes.append(_box(centre - width / 2, y + _ARROW, width, height, words, "left"))
    return Figure(_chart(boxes, lines, arrows, y + _ARROW + height), {}, None, _WIDTH, 0)


def _chart(
    boxes: Sequence[Row], lines: Sequence[tuple], arrows: Sequence[tuple], height: float
) -> Any:
    across = alt.Scale(domain=[0, _WIDTH])
    down = alt.Scale(domain=[height, 0], nice=False)

    def at(x: str, y: str) -> Row:
        return {"x": alt.X(f"{x}:Q", scale=across, axis=None),
                "y": alt.Y(f"{y}:Q", scale=down, axis=None)}  # fmt: skip

    ends = {"x2": "x2:Q", "y2": "y2:Q"}
    ruled = pd.DataFrame(
        [*lines, *((x, start, x, end - 5) for x, start, end in arrows)],
        columns=["x", "y", "x2", "y2"],
    )
    heads = pd.DataFrame([(x, end - 5) for x, _, end in arrows], columns=["x", "y"])
    base = alt.Chart(pd.DataFrame(boxes))
    layers = [
        alt.Chart(ruled).mark_rule(color=style.SOFT).encode(**at("x", "y"), **ends),
        alt.Chart(heads)
        .mark_point(shape="triangle-down", filled=True, color=style.SOFT, size=60, opacity=1)
        .encode(**at("x", "y")),
        base.mark_rect(cornerRadius=5, opacity=1).encode(
            **at("x", "y"), **ends, stroke=alt.Stroke("edge:N", scale=None),
            fill=alt.Fill("face:N", scale=None),
        ),
        *(
            base.transform_filter(f"datum.bold == {bold} && datum.align == '{align}'")
            .mark_text(align=align, fontSize=12, lineBreak="\n", lineHeight=_LINE,
                       baseline="middle", fontWeight=weight)
            .encode(**at("word_x", "word_y"), text="words:N", color=alt.Color("ink:N", scale=None))
            for bold, weight in WEIGHTS for align in ALIGNED
        ),
    ]  # fmt: skip
    return alt.layer(*layers).properties(width=_WIDTH, height=height)


def _together(steps: Sequence[Row]) -> Iterator[list[Row]]:
    """Rules of one box."""
    together: list[Row] = []
    for row in steps:
        if together and bool(row["stays_dropped"]) | bool(together[-1]["stays_dropped"]):
            yield together
            together = []
        together.append(row)
    if together:
        yield together


def _rule(row: Row) -> str:
    if not row["stays_dropped"]:
        return f"{row['criterion']}: drops none"
    return (
        f"{row['criterion']}: drops {row['stays_dropped']:,} stays,"
        f" {row['patients_dropped']:,} patients"
    )


def _counts(title: str, row: Row) -> list[str]:
    return [title, f"{row['stays']:,} stays, {row['patients']:,} patients"]


def _box(x: float, y: float, width: float, height: float, lines: Sequence[str], kind: str) -> Row:
    """A box: an end or what is left (in blue), a rule that drops, or one that is silent."""
    left = kind in ("rule", "silent")
    edge = {"rule": style.VERMILLION, "silent": style.FAINT}.get(kind, style.BLUE)
    return {
        "x": x, "y": y, "x2": x + width, "y2": y + height, "edge": edge,
        "face": "#eef5fa" if kind == "end" else "white", "bold": kind == "end",
        "ink": style.SOFT if kind == "silent" else style.INK, "align": "left" if left else "center",
        "words": "\n".join(lines), "word_x": x + 12 if left else x + width / 2,
        "word_y": y + height / 2 - _LINE * (len(lines) - 1) / 2,
    }  # fmt: skip

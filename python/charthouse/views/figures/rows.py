"""Rows under headings, in panels side by side: where each stands, its label, its whiskers."""

import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

from charthouse.views.figures import style
from charthouse.views.figures.style import Key
from charthouse.views.figures.words import wrapped

LABELS = 290
"""Most pixels left of the first panel; all measures are pixels."""
_CHARACTER = 6.0  # pixels of one of a label, about
_REASON = 36  # characters of a line of a reason below a label
MOST_REASONS = 3
_ROW, _LINE, _LANE, _HEADING, _GAP = 25, 13, 13, 24, 10
BETWEEN = 26
_LAYOUT = ("panel", "key", "group", "filled", "beside", "y", "words", "words_y")


_HALO: Any = ({"stroke": style.PAPER, "strokeWidth": 4}, {})
"""Behind words, so that no line strikes them; and the words."""


@dataclass(frozen=True)
class Figure:
    """A chart, and what stands above it.

    Attributes:
        chart: Any chart of Altair's.
        keys: What the colours and shapes are.
        warning: What must not be overlooked, in words, or None.
        width: Of the whole, labels included; 0 where the place decides.
        left: Of that, what is left of the first panel.
    """

    chart: Any
    keys: Mapping[str, Key]
    warning: str | None = None
    width: float = 0
    left: float = LABELS


@dataclass(frozen=True)
class Panel:
    """One of the panels.

    Attributes:
        name: As the rows' column `panel` has it.
        domain: Ends of the axis.
        title: Above it.
        axis: Below it.
        reference: Where a line is drawn: chance, no difference, or None.
    """

    name: str
    domain: tuple[float, float]
    title: str = ""
    axis: str = ""
    reference: float | None = None


@dataclass(frozen=True)
class Placed:
    """Rows with their `y`, the axis of their labels, and how high all of it is."""

    rows: pd.DataFrame
    ticks: Sequence[tuple[float, str, bool]]  # middle, words, whether it is a heading
    height: float

    @property
    def labels(self) -> int:
        """Pixels that the longest line needs: a panel must not be squeezed by a name."""
        lines = [line for _, words, _ in self.ticks for line in words.split("\n")]
        return min(LABELS, round(_CHARACTER * max(map(len, lines), default=0)) + 16)

    def y(self, labels: int, column: str = "y") -> alt.Y:
        """Of a column; the axis has no labels where another panel of the same rows has them."""
        lines = [words.split("\n") for _, words, _ in self.ticks]
        # of several lines the first is at the tick
        at = [y - _LINE * (len(of) - 1) / 2 for (y, *_), of in zip(self.ticks, lines, strict=True)]
        here = f"[indexof({json.dumps(at)}, datum.value)]"
        bold = {"test": json.dumps([heading for *_, heading in self.ticks]) + here, "value": "bold"}
        axis = alt.Axis(
            values=at, labelExpr=json.dumps(lines) + here, labels=bool(labels), labelAlign="left",
            labelPadding=labels, labelLimit=labels - 4, minExtent=labels, maxExtent=labels,
            labelLineHeight=_LINE, ticks=False, domain=False, grid=False,
            labelFontWeight={"condition": bold, "value": "normal"},
        )  # fmt: skip
        scale = alt.Scale(domain=[0, self.height], reverse=True, nice=False)
        return alt.Y(f"{column}:Q", title=None, scale=scale, axis=axis)

    def lines(self, labels: int) -> alt.Chart:
        """Faint, through each row, behind all else."""
        through = pd.DataFrame({"y": [y for y, _, heading in self.ticks if not heading]})
        return alt.Chart(through).mark_rule(color=style.PALE).encode(y=self.y(labels))


def place(found: pd.DataFrame, series: Sequence[str], lane: float = _LANE) -> Placed:
    """Rows in their order below their headings, series of one row below one another.

    Args:
        found: group, label, panel, series, and key where labels repeat; of an empty group no
            heading is written.
        series: Their order.
        lane: How far apart they are.
    """
    rows = found.assign(y=0.0)
    key = "key" if "key" in rows else "label"
    ticks: list[tuple[float, str, bool]] = []
    end = 0.0
    for group, of_group in rows.groupby("group", sort=False):
        end += _GAP if ticks else 0
        if group:
            height = _HEADING + _LINE * str(group).count("\n")
            ticks.append((end + height / 2, str(group), True))
            end += height
        for _, of_row in of_group.groupby(key, sort=False):
            label = of_row["words" if "words" in of_row else "label"].iloc[0]
            label = label if "\n" in label else wrapped(label)
            most = of_row.groupby("panel")["series"].nunique().max()
            height = max(_ROW + _LINE * str(label).count("\n"), lane * most + 10)
            ticks.append((end + height / 2, str(label), False))
            for _, of_panel in of_row.groupby("panel"):
                lanes = [name for name in series if name in set(of_panel["series"])]
                first = end + height / 2 - lane * (len(lanes) - 1) / 2
                rows.loc[of_panel.index, "y"] = [
                    first + lane * lanes.index(name) for name in of_panel["series"]
                ]
            end += height
    return Placed(rows, ticks, max(end, _ROW))


def whiskers(
    found: pd.DataFrame, panels: Sequence[Panel], series: Mapping[str, Key], *,
    keys: Mapping[str, Key] | None = None, width: int | None = None, beside: int = 0,
) -> Figure:  # fmt: skip
    """Dots with their intervals; a cross where there is none, and why there is no value.

    Args:
        found: label, value, low, high; where there are several: panel, group, series; note, why
            there is no value or no interval; key, what tells rows of one label apart; filled,
            whether the dot is; beside, what is written to the right. Further columns are shown when
            one points at a dot.
        panels: From left to right; they share their rows.
        series: Name to colour and shape, in their order; of one series, its name does not show.
        keys: For the legend, if not the series that there are.
        width: Of a panel; None: the place decides, there is one panel and nothing beside it.
        beside: Pixels right of each panel, for what is written there.
    """
    completed = _completed(found, panels[0].name, series)
    if width is None:
        completed["words"] = _reasoned(completed)
    placed = place(completed, list(series))
    rows, labels = placed.rows, placed.labels
    said = _said_once(rows)
    drawn = [
        _panel(said[said["panel"] == panel.name], panel, series, placed, 0 if at else labels, width)
        for at, panel in enumerate(panels)
    ]
    if keys is None:
        keys = {name: series[name] for name in series if name in set(rows["series"])}
    warning = _without_interval(rows)
    if width is None:
        return Figure(drawn[0], keys, warning)
    across = labels + len(panels) * (width + beside) + (len(panels) - 1) * BETWEEN
    chart = alt.hconcat(*drawn, spacing=BETWEEN + beside, bounds="flush")
    return Figure(chart, keys, warning, across, labels)


def _panel(
    rows: pd.DataFrame, panel: Panel, series: Mapping[str, Key], placed: Placed, labels: int,
    width: int | None,
) -> Any:  # fmt: skip
    across: dict[str, Any] = {
        "title": panel.axis or None, "axis": alt.Axis(tickCount=5),
        "scale": alt.Scale(domain=list(panel.domain), nice=False, zero=False),
    }  # fmt: skip
    names = list(series)
    coloured: dict[str, Any] = {
        "scale": alt.Scale(domain=names, range=[series[name][0] for name in names]),
        "legend": None,
    }
    shapes = [series[name][1].replace("hollow", "circle") for name in names]
    shape = alt.Shape("series:N", scale=alt.Scale(domain=names, range=shapes), legend=None)
    told = [
        alt.Tooltip(f"{name}:{'N' if rows[name].dtype.kind in 'OUTb' else 'Q'}")
        for name in rows.columns if name not in _LAYOUT
    ]  # fmt: skip
    base = alt.Chart(rows).encode(y=placed.y(labels))
    words = alt.Chart(rows).encode(y=placed.y(labels, "words_y"))
    layers = [
        placed.lines(labels),
        base.mark_rule(strokeWidth=1.8, clip=True).encode(
            x=alt.X("low:Q", **across), x2="high:Q", color=alt.Color("series:N", **coloured)
        ),
        base.transform_filter("isValid(datum.value)").mark_point(
            size=52, opacity=1, strokeWidth=1.5
        ).encode(
            x=alt.X("value:Q", **across), stroke=alt.Stroke("series:N", **coloured), tooltip=told,
            fill=alt.condition("datum.filled", alt.Fill("series:N", **coloured),
                               alt.value(style.PAPER)),
            shape=alt.condition("isValid(datum.low)", shape, alt.value(style.CROSS)),
        ),
        *(
            words.transform_filter("isValid(datum.note) && !isValid(datum.value)")
            .transform_calculate(words="'no figure: ' + datum.note")
            .mark_text(
                align="left", fontStyle="italic", color=style.SOFT, fontSize=11,
                limit=width - 4 if width else 0, **halo,
            )
            .encode(x=alt.value(4), text="words:N")
            for halo in _HALO
        ),
    ]  # fmt: skip
    if panel.reference is not None:
        reference = alt.Chart(alt.Data(values=[{"at": panel.reference}])).mark_rule(
            color=style.SOFT, strokeDash=style.DASHES, clip=True
        )
        layers.insert(1, reference.encode(x=alt.X("at:Q", **across)))
    if width:
        layers.append(
            words.transform_filter("isValid(datum.beside)")
            .mark_text(align="left", fontSize=11)
            .encode(
                x=alt.value(width + 10), text="beside:N",
                color=alt.condition("datum.filled && isValid(datum.low)", alt.value(style.INK),
                                    alt.value(style.SOFT)),
            )
        )  # fmt: skip
    size = {"width": width} if width else {}
    title = {"title": panel.title} if panel.title else {}
    return alt.layer(*layers).properties(height=placed.height, **size, **title)


def _completed(found: pd.DataFrame, panel: str, series: Mapping[str, Key]) -> pd.DataFrame:
    """With every column that is drawn."""
    usual = {"panel": panel, "group": "", "series": next(iter(series)), "note": None,
             "filled": True, "beside": None}  # fmt: skip
    rows = found.reset_index(drop=True)
    usual["key"] = rows["label"]
    rows = rows.assign(**{name: told for name, told in usual.items() if name not in rows})
    lacking = rows["value"].isna() & rows["note"].isna()
    rows["note"] = rows["note"].astype(object).mask(lacking, "no value")
    return rows


def _reasoned(rows: pd.DataFrame) -> pd.Series:
    """Labels; below them why a row has no interval, where nothing of it has and all for one."""
    words = rows["label"].astype(object)
    for _, of_row in rows.groupby(["group", "key"]):
        reasons = set(of_row["note"].fillna("too few resamples"))
        if len(reasons) == 1 and of_row["value"].notna().all() and of_row["low"].isna().all():
            lines = textwrap.wrap(f"no interval: {reasons.pop()}", _REASON)
            label = of_row["label"].iloc[0]
            label = label if "\n" in label else wrapped(label)
            words[of_row.index] = "\n".join([label, *lines])
    return words


def _said_once(rows: pd.DataFrame) -> pd.DataFrame:
    """What all series of a row share is said once, at its middle."""
    rows = rows.assign(words_y=rows["y"])
    for column, silent in (("note", rows["value"].isna()), ("beside", rows["value"].notna())):
        for _, of_row in rows.groupby(["panel", "group", "key"]):
            if (
                len(of_row) > 1
                and silent[of_row.index].all()
                and of_row[column].nunique(dropna=False) == 1
            ):
                rows.loc[of_row.index[0], "words_y"] = of_row["y"].mean()
                rows.loc[of_row.index[1:], column] = None
    return rows


def _without_interval(rows: pd.DataFrame) -> str | None:
    """What the crosses are, and why; None where every value has its interval."""
    crosses = rows[rows["value"].notna() & rows["low"].isna()]
    reasons = sorted(set(crosses["note"].fillna("too few resamples")))
    if not reasons:
        return None
    named = "; ".join(reasons[:MOST_REASONS]) + ("; ..." if len(reasons) > MOST_REASONS else "")
    return f"\N{MULTIPLICATION SIGN} no interval, conclude nothing: {named}"


def numbers_of(found: pd.DataFrame) -> list[float]:
    """Every estimate and every end of an interval."""
    return [float(number) for name in ("value", "low", "high") for number in found[name].dropna()]

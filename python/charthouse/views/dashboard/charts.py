"""Every kind of chart, in the report's colours; each says what it is in words too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from charthouse.jobs.evaluate.comparisons import SIGNIFICANT
from charthouse.views.dashboard import parts
from charthouse.views.report import style
from charthouse.views.report.rows import limits_of, without_interval

# The report's markers by their names in Vega
_SHAPES = {
    "o": "circle", "s": "square", "D": "diamond", "^": "triangle-up", "v": "triangle-down",
    "P": "cross",
}  # fmt: skip
SERIES = [(colour, _SHAPES[marker]) for colour, marker in style.ARM_STYLES]
LABELS = 330
"""Pixels to the left of every panel of rows, so that panels below one another are in line."""
_CROSS = "M-1,-1L1,1M-1,1L1,-1"
_WRAP = 46  # characters that fit
_ROW, _LINE = 24, 13  # pixels of a row, and of each line of its label beyond the first


@dataclass(frozen=True)
class Whiskers:
    """Rows with a dot and its interval.

    Attributes:
        found: label, value, low, high; series where there are several; note, why there is no
            value or no interval; filled, whether the dot is. Further columns are shown when one
            points at a dot. A value without an interval is a cross: see say_without_interval.
        title: Of the axis.
        domain: Ends of the axis, the same for panels that belong together.
        series: Name to colour and shape, in their order; of one series, its name does not show.
        reference: Where a line is drawn: chance, no difference, or None.
        alt: What it is, for those who cannot see it.
        labels: Pixels for the labels.
    """

    found: pd.DataFrame
    title: str
    domain: tuple[float, float]
    series: Mapping[str, tuple[str, str]]
    reference: float | None
    alt: str
    labels: int = LABELS


def whiskers(of: Whiskers) -> None:
    """Draws them; labels in the order of the rows."""
    rows = _completed(of.found, of.series)
    labels = list(dict.fromkeys(rows["label"]))
    names = [name for name in of.series if name in set(rows["series"])]
    y = alt.Y("label:N", sort=labels, title=None, axis=_label_axis(of.labels))
    offset = alt.YOffset("series:N", sort=names, scale=alt.Scale(domain=names, paddingOuter=0.25))
    ends = alt.Scale(domain=list(of.domain), nice=False, zero=False)
    axis = alt.Axis(tickCount=6)
    x = alt.X("value:Q", title=of.title, scale=ends, axis=axis)
    base = alt.Chart(rows)
    coloured = alt.Scale(domain=names, range=[of.series[name][0] for name in names])
    shaped = alt.Scale(domain=names, range=[of.series[name][1] for name in names])
    colour = alt.Color("series:N", scale=coloured, legend=None)
    stroke = alt.Stroke("series:N", scale=coloured, legend=None)
    shape = alt.Shape("series:N", scale=shaped, legend=None)
    dots: dict[str, Any] = {"size": 55, "opacity": 1, "strokeWidth": 1.5}
    told = [
        alt.Tooltip(f"{name}:{'N' if rows[name].dtype.kind in 'OUTb' else 'Q'}")
        for name in rows.columns
        if name not in ("filled",)
    ]
    alone = rows.groupby("label")["series"].nunique().max() == 1
    placed: dict[str, Any] = {"y": y} if alone else {"y": y, "yOffset": offset}
    layers = [
        base.mark_rule(strokeWidth=1.8, clip=True).encode(
            x=alt.X("low:Q", title=of.title, scale=ends, axis=axis),
            x2="high:Q",
            color=colour,
            **placed,
        ),
        base.transform_filter("datum.filled && isValid(datum.low)")
        .mark_point(filled=True, **dots)
        .encode(x=x, shape=shape, color=colour, tooltip=told, **placed),
        base.transform_filter("!datum.filled && isValid(datum.low)")
        .mark_point(fill="white", **dots)
        .encode(x=x, shape=shape, stroke=stroke, tooltip=told, **placed),
        base.transform_filter("isValid(datum.value) && !isValid(datum.low)")
        .mark_point(shape=_CROSS, **dots)
        .encode(x=x, stroke=stroke, tooltip=told, **placed),
        base.transform_filter("datum.note !== null && !isValid(datum.value)")
        .mark_text(align="left", dx=4, fontStyle="italic", color=style.SOFT, fontSize=11)
        .encode(x=alt.XDatum(of.domain[0]), text="note:N", **placed),
    ]
    if of.reference is not None:
        rule = alt.Chart(pd.DataFrame({"at": [of.reference]}))
        dashed = rule.mark_rule(color=style.SOFT, strokeDash=[4, 3])
        layers.insert(0, dashed.encode(x=alt.X("at:Q", title=of.title, scale=ends, axis=axis)))
    lines = max((label.count("\n") for label in rows["label"]), default=0)
    each = max(_ROW + _LINE * lines, 1 if alone else 15 * len(names))
    draw(
        alt.LayerChart(layer=layers).properties(height=alt.Step(each, **{"for": "position"})),
        of.alt,
    )


def differences(found: pd.DataFrame, metric: str, questions: Mapping[str, str]) -> None:
    """Paired differences: a panel for each question, on one axis, below one legend.

    Args:
        found: Rows of reports.comparisons or reports.learner_comparisons that are of one metric,
            with the label of each pair.
        metric: In words.
        questions: Those that are drawn, in their order, with their titles.
    """
    sure, unsure = f"significant after Holm correction (p < {SIGNIFICANT})", "not, or not tested"
    series = {sure: (style.BLUE, "circle"), unsure: (style.BLUE, "circle")}
    is_sure = found["p_adjusted"] < SIGNIFICANT
    long = found[["label", "p_adjusted", "n", "n_positive", "question"]].assign(
        value=found["difference"],
        low=found["ci_low"],
        high=found["ci_high"],
        filled=is_sure,
        series=is_sure.map({True: sure, False: unsure}),
        note=found["reason"],
    )
    say_without_interval(long)
    ends = domain(long, 0.0)
    legend({sure: (style.BLUE, "circle"), unsure: (style.BLUE, "hollow")})
    for question, title in questions.items():
        of = long[long["question"] == question].drop(columns="question")
        if len(of):
            parts.text(bold=title)
            whiskers(
                Whiskers(of, f"{metric} difference", ends, series, 0.0,
                         f"Differences of {metric}: {title}.")
            )  # fmt: skip


def say_without_interval(found: pd.DataFrame) -> None:
    """What the crosses of charts are, and why; nothing where every value has its interval."""
    told = found[["value", "low", "note"]].astype(object)
    rows = told.where(told.notna(), None).to_dict("records")
    if words := without_interval((row["value"], row["low"], row["note"]) for row in rows):
        st.warning(parts.as_written(words))


def _completed(found: pd.DataFrame, series: Mapping[str, tuple[str, str]]) -> pd.DataFrame:
    """With every column that is drawn; labels on lines that fit."""
    rows = found.reset_index(drop=True)
    for name, usual in (("series", next(iter(series))), ("note", None), ("filled", True)):
        if name not in rows:
            rows[name] = usual
    rows["label"] = [
        label if "\n" in label else style.wrapped(label, _WRAP) for label in rows["label"]
    ]
    places = {name: abs(at - len(series) / 2) for at, name in enumerate(series)}
    for _, of_label in rows.groupby("label"):
        if of_label["value"].isna().all() and of_label["note"].nunique() == 1:
            middle = of_label["series"].map(places).idxmin()  # what all share is said once
            rows.loc[of_label.index.drop(middle), "note"] = None
    return rows


def _label_axis(pixels: int) -> alt.Axis:
    return alt.Axis(
        labelExpr="split(datum.label, '\\n')", labelLimit=pixels, minExtent=pixels,
        maxExtent=pixels, labelPadding=8, ticks=False, domain=False, labelLineHeight=_LINE,
        grid=True, gridColor="#eeeeee",
    )  # fmt: skip


def domain(
    found: pd.DataFrame, *more: float, within: tuple[float, float] | None = None
) -> tuple[float, float]:
    """Ends of an axis that holds every estimate and interval."""
    columns = [found[name].dropna() for name in ("value", "low", "high")]
    numbers = [float(number) for column in columns for number in column]
    return limits_of([*numbers, *more], within=within)


def legend(series: Mapping[str, tuple[str, str]], title: str = "") -> None:
    """Which colour and shape is which, behind a title; above charts that share them."""
    if not series and not title:
        return
    signs = {
        "circle": "\N{BLACK CIRCLE}", "square": "\N{BLACK SQUARE}",
        "diamond": "\N{BLACK DIAMOND}", "triangle-up": "\N{BLACK UP-POINTING TRIANGLE}",
        "triangle-down": "\N{BLACK DOWN-POINTING TRIANGLE}", "cross": "\N{HEAVY GREEK CROSS}",
        "hollow": "\N{WHITE CIRCLE}",
    }  # fmt: skip
    bold = f'<b style="margin-right:0.8rem">{escape(title)}</b>' if title else ""
    look = "margin-right:1rem;display:inline-block;font-size:0.875rem"
    keys = [
        f'<span style="{look}"><span style="color:{colour}">{signs[shape]}</span>'
        f" {escape(name)}</span>"
        for name, (colour, shape) in series.items()
    ]
    st.html(bold + "".join(keys))


@dataclass(frozen=True)
class Bar:
    """A bar of one or more parts, and its number in words."""

    label: str
    parts: Sequence[tuple[float, str]]  # share of the longest bar, colour
    words: str


def facts(told: Mapping[str, str]) -> None:
    """A few numbers in large type, each below its name, on as many lines as it takes."""
    st.html(
        '<div style="display:flex;flex-wrap:wrap;gap:0.6rem 2.6rem">'
        + "".join(
            f'<div><div style="font-size:0.875rem">{escape(name)}</div>'
            f'<div style="font-size:1.75rem;line-height:1.4">{escape(value)}</div></div>'
            for name, value in told.items()
        )
        + "</div>"
    )


def bars(found: Sequence[Bar]) -> None:
    """Bars in plain HTML: they are there with the text, before any chart can be."""
    lines = []
    for bar in found:
        pieces = "".join(
            f'<span style="flex:0 0 {70 * share:.2f}%;background:{colour};height:1rem"></span>'
            for share, colour in bar.parts
        )
        lines.append(
            f'<span style="text-align:right">{escape(bar.label)}</span>'
            f'<span style="display:flex;align-items:center">{pieces}'
            f'<span style="margin-left:0.5rem;white-space:nowrap">{escape(bar.words)}</span></span>'
        )
    st.html(
        '<div style="display:grid;grid-template-columns:max-content 1fr;gap:0.35rem 0.6rem;'
        f'font-size:0.875rem;align-items:center">{"".join(lines)}</div>'
    )


def stacked(found: pd.DataFrame, colours: Mapping[str, str], title: str, alt_text: str) -> None:
    """Bars of shares: label, part, share; a number where there is room for it."""
    rows = found.assign(
        label=[style.wrapped(label, _WRAP) for label in found["label"]],
        place=[list(colours).index(part) for part in found["part"]],
        colour=found["part"].map(colours),
    )
    labels = list(dict.fromkeys(rows["label"]))
    base = alt.Chart(rows).encode(
        y=alt.Y("label:N", sort=labels, title=None, axis=_label_axis(LABELS)),
        order=alt.Order("place:Q"),
    )
    x = alt.X("share:Q", stack="zero", title=title, scale=alt.Scale(domain=[0, 1]),
              axis=alt.Axis(format="%"))  # fmt: skip
    bars = base.mark_bar().encode(
        x=x,
        color=alt.Color(
            "part:N",
            scale=alt.Scale(domain=list(colours), range=list(colours.values())),
            legend=None,
        ),
        tooltip=[
            alt.Tooltip(f"{name}:N")
            for name in rows.columns
            if name not in ("place", "share", "colour")
        ]
        + [alt.Tooltip("share:Q", format=".1%")],
    )
    numbers = (
        base.transform_calculate(words="datum.share >= 0.07 ? format(datum.share, '.0%') : ''")
        .mark_text(fontSize=11)
        .encode(
            x=alt.X("share:Q", stack="zero", bandPosition=0.5),
            text="words:N",
            color=alt.condition(
                f"datum.colour == '{style.BLUE}'", alt.value("white"), alt.value(style.INK)
            ),
        )
    )
    lines = max((label.count("\n") for label in labels), default=0)
    draw((bars + numbers).properties(height=alt.Step(_ROW + 4 + _LINE * lines)), alt_text)


def draw(chart: alt.LayerChart, alt_text: str) -> None:
    """Shows a chart as wide as its place."""
    st.altair_chart(_dressed(chart), theme=None, width="stretch", alt=alt_text)


def _dressed(chart: alt.LayerChart) -> alt.LayerChart:
    return chart.configure(
        font="sans-serif", background="transparent", autosize=alt.AutoSizeParams(
            type="fit-x", contains="padding"
        ),
    ).configure_axis(
        labelColor=style.INK, titleColor=style.INK, titleFontWeight="normal", labelFontSize=12,
        titleFontSize=12, gridColor=style.FAINT, domainColor=style.SOFT, tickColor=style.SOFT,
    ).configure_view(stroke=None)  # fmt: skip


def series_of(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """A colour and a shape for each of a few; they go round where there are more."""
    return {name: SERIES[at % len(SERIES)] for at, name in enumerate(names)}

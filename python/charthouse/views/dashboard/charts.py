"""A figure on a page: its warning and its keys in HTML, above the chart; and bars of HTML alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import streamlit as st

from charthouse.views.dashboard import parts
from charthouse.views.figures import style
from charthouse.views.figures.rows import Figure
from charthouse.views.figures.style import Key, adaptive
from charthouse.views.figures.words import short_arm

_SIGNS = {
    "circle": "\N{BLACK CIRCLE}", "square": "\N{BLACK SQUARE}",
    "diamond": "\N{BLACK DIAMOND}", "triangle-up": "\N{BLACK UP-POINTING TRIANGLE}",
    "triangle-down": "\N{BLACK DOWN-POINTING TRIANGLE}", "cross": "\N{HEAVY GREEK CROSS}",
    "hollow": "\N{WHITE CIRCLE}",
}  # fmt: skip


def show(figure: Figure, alt: str, *, title: str = "") -> None:
    """As wide as its place; `alt` is what it is, for those who cannot see it."""
    if figure.warning:
        parts.text(figure.warning, small=True, warns=True)
    legend(figure.keys, title)
    draw(figure, alt)


def draw(figure: Figure, alt: str) -> None:
    """The chart alone, where what stands above it stands there already."""
    spec = style.adapted(style.spec(figure.chart, background="transparent"))
    spec["autosize"] = {"type": "fit-x", "contains": "padding"}  # Streamlit's would fit the height
    st.vega_lite_chart(spec=spec, theme=None, width="stretch", alt=alt)


def legend(keys: Mapping[str, Key], title: str = "") -> None:
    """Which colour and shape is which, behind a title."""
    if not keys and not title:
        return
    bold = f'<b style="margin-right:0.8rem">{escape(title)}</b>' if title else ""
    look = "margin-right:1rem;display:inline-block;font-size:0.875rem"
    written = [
        f'<span style="{look}" title="{escape(name)}"><span style="color:{adaptive(colour)}">'
        f"{_SIGNS[shape]}</span> {escape(short_arm(name))}</span>"
        for name, (colour, shape) in keys.items()
    ]
    st.html(bold + "".join(written))


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
            f'<span style="flex:0 0 {share:.2%};background:{adaptive(colour)};height:1rem"></span>'
            for share, colour in bar.parts
        )
        lines.append(
            f'<span style="text-align:right">{escape(bar.label)}</span>'
            f'<span style="display:flex;align-items:center">{pieces}</span>'
            f'<span style="white-space:nowrap">{escape(bar.words)}</span>'
        )
    # the number has a column of its own: no bar can push it out of sight
    st.html(
        '<div style="display:grid;grid-template-columns:fit-content(40%) minmax(3rem,1fr)'
        ' max-content;gap:0.35rem 0.6rem;font-size:0.875rem;align-items:center">'
        f"{''.join(lines)}</div>"
    )

"""A figure as a picture of its own: title, keys, warning, footer, what kind of data it is of."""

import io
import textwrap
from typing import Any

import altair as alt
import vl_convert
from PIL import Image

from charthouse.core.data_kind import DataKind, tag
from charthouse.views.figures import style
from charthouse.views.figures.rows import Figure

SCALE = 2
"""Pixels of the picture in one of the figure's."""
_PADDING = 24
_CHARACTER = 5.9  # pixels of one at size 12, about


def sheet(figure: Figure, *, title: str, footer: str, kind: DataKind) -> Any:
    """The figure with all that it must not be seen without."""
    left, width = -figure.left, figure.width
    mark = tag(kind)
    titles = textwrap.wrap(title, int((width - 130) / 9))
    head = [style.text(titles, left, 0, fontSize=17, lineHeight=21, fontWeight="bold")]
    if mark:
        head += [
            alt.Chart(style.NOTHING)
            .mark_rect(color=style.WARNING if kind == "synthetic" else style.SOFT, opacity=1)
            .encode(x=alt.value(left + width - 124), x2=alt.value(left + width), y=alt.value(-3),
                    y2=alt.value(18)),
            style.text([mark], left + width - 62, 2, align="center", color="white",
                       fontWeight="bold"),
        ]  # fmt: skip
    down = 21.0 * len(titles) + 8
    x = left
    for name, key in figure.keys.items():
        needs = 30 + _CHARACTER * len(name)
        if x > left and x + needs > left + width:
            x, down = left, down + 18
        head += [_sign(x + 7, down + 6, key), style.text([name], x + 18, down)]
        x += needs
    down += 20 if figure.keys else 0
    if figure.warning:
        lines = textwrap.wrap(figure.warning, int(width / _CHARACTER))
        head.append(style.text(lines, left, down, color=style.WARNING, fontWeight="bold"))
        down += 15 * len(lines)
    lines = textwrap.wrap(footer, int(width / 5.1), break_on_hyphens=False)
    foot = [
        style.text(lines, left, 8, fontSize=10.5, lineHeight=14, color=style.SOFT),
        alt.Chart(style.NOTHING)
        .mark_rule(color=style.FAINT)
        .encode(x=alt.value(left), x2=alt.value(left + width), y=alt.value(0)),
    ]
    across = width - figure.left
    return alt.vconcat(
        alt.layer(*head).properties(width=across, height=down),
        figure.chart,
        alt.layer(*foot).properties(width=across, height=14 * len(lines) + 8),
        spacing=14,
    )


def png(chart: Any) -> bytes:
    """The same chart is the same bytes; nothing is asked of any server."""
    spec = style.spec(chart, background="white", padding=_PADDING)
    drawn = vl_convert.vegalite_to_png(spec, scale=SCALE, allowed_base_urls=[])
    with io.BytesIO() as smaller, Image.open(io.BytesIO(drawn)) as image:  # to a fifth
        image.convert("RGB").save(smaller, "png")
        return smaller.getvalue()


def _sign(x: float, y: float, key: style.Key) -> alt.Chart:
    colour, shape = key
    hollow = shape == "hollow"
    return alt.Chart(style.NOTHING).mark_point(
        x=x, y=y, shape="circle" if hollow else shape, stroke=colour, size=60, opacity=1,
        fill="white" if hollow else colour, strokeWidth=1.5,
    )  # fmt: skip

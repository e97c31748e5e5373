"""One vital sign of one stay: what was measured, what models read, what was an outlier."""

from collections.abc import Mapping

import altair as alt
import pandas as pd

from charthouse.views.figures import style
from charthouse.views.figures.rows import Figure

KEYS = {
    "measured": (style.BLUE, "circle"),
    "hourly grid, as models read it; gray where nothing was measured": (style.SOFT, "square"),
    "outlier: removed (at the edge), or pulled to the valid bound": (
        style.VERMILLION, "triangle-up",
    ),
}  # fmt: skip
"""What is in every panel."""


def vitals(
    events: pd.DataFrame, grid: pd.DataFrame, outliers: pd.DataFrame, colours: Mapping[str, str],
    ends: tuple[float, float],
) -> Figure:  # fmt: skip
    """Variables of one unit over the hours since ICU admission.

    Args:
        events: variable, hours, value; of marts.vitals_events.
        grid: variable, hour, value, measured; of marts.vitals_hourly.
        outliers: variable, hours, value, fate; of marts.vitals_outliers.
        colours: Of each variable.
        ends: First and last hour.
    """
    numbers = [*events["value"], *grid["value"], *outliers["value"]]
    low, high = style.limits_of(numbers)
    x = alt.X("hours:Q", title="hours since ICU admission", axis=alt.Axis(tickCount=8),
              scale=alt.Scale(domain=list(ends), nice=False))  # fmt: skip
    y = alt.Y("value:Q", title=None, axis=alt.Axis(tickCount=5, tickMinStep=1),
              scale=alt.Scale(domain=[low, high], zero=False, nice=False))  # fmt: skip
    palette = alt.Scale(domain=list(colours), range=list(colours.values()))
    coloured = alt.Color("variable:N", scale=palette, legend=None)
    hours = alt.Tooltip("hours:Q", format=".2f")
    steps = grid.rename(columns={"hour": "hours"}).assign(until=grid["hour"] + 1)
    chart = alt.layer(
        alt.Chart(steps).mark_rule(strokeWidth=4, opacity=0.35).encode(
            x=x, x2="until:Q", y=y,
            color=alt.condition("datum.measured", coloured, alt.value(style.SOFT)),
            tooltip=["variable:N", "hours:Q", alt.Tooltip("value:Q", format=".1f"), "measured:N"],
        ),
        alt.Chart(events).mark_point(filled=True, size=28, opacity=0.9).encode(
            x=x, y=y, color=coloured, tooltip=["variable:N", hours, "value:Q"],
        ),
        alt.Chart(outliers.assign(value=outliers["value"].fillna(high))).mark_point(
            shape="triangle-up", filled=True, size=110, opacity=1, color=style.VERMILLION
        ).encode(x=x, y=y, tooltip=["variable:N", hours, "fate:N"]),
    )  # fmt: skip
    several = {name.split("_")[-1]: (colour, "circle") for name, colour in colours.items()}
    return Figure(chart.properties(height=130), several if len(colours) > 1 else {})

"""What moved the score of one stay: a bar for each attribute, below its modality."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from charthouse.models.fusions.block import PRESENCE
from charthouse.views.figures import style
from charthouse.views.figures.rows import Figure, place
from charthouse.views.figures.words import MINUS, worded

RAISES, LOWERS = style.VERMILLION, style.BLUE
KEYS = {"raises the score": (RAISES, "square"), "lowers it": (LOWERS, "square")}


def by_attribute(features: Sequence[tuple[str, str, float, float]], most: int) -> pd.DataFrame:
    """Contributions of the numbers that are of one thing, together.

    Args:
        features: modality, name, value and contribution of each: `insurance=Medicaid`,
            `heart_rate @ 3 h`, `gru 17`.
        most: Attributes of a modality that have a row of their own, those that move most; the
            others are added up.

    Returns:
        modality, attribute, numbers, moved; modalities and attributes by how much they move.
    """
    long = pd.DataFrame(features, columns=["modality", "name", "value", "moved"])
    thing = long["name"].str.split("[= ]", regex=True).str[0]
    long["attribute"] = thing.where(long["modality"] != PRESENCE, long["name"])
    found = long.groupby(["modality", "attribute"], as_index=False).agg(
        numbers=("moved", "size"), moved=("moved", "sum")
    )
    found = found.sort_values("moved", key=lambda moved: -moved.abs(), kind="stable")
    rest = found.groupby("modality").cumcount() >= most
    found.loc[rest, "attribute"] = "all others"
    found = found.groupby(["modality", "attribute"], as_index=False, sort=False).sum()
    total = found.groupby("modality")["moved"].transform("sum").abs()
    return found.assign(total=-total).sort_values("total", kind="stable").drop(columns="total")


def moved(found: pd.DataFrame) -> Figure:
    """Rows: attributes by modality; right of 0 they raise the score.

    Args:
        found: As by_attribute returns it.
    """
    totals = found.groupby("modality")["moved"].sum()
    rows = found.assign(
        group=[f"{worded(name)} {_signed(totals[name])}" for name in found["modality"]],
        label=found["attribute"].str.replace("_", " "), key=found["attribute"], panel="", series="",
        colour=[RAISES if value > 0 else LOWERS for value in found["moved"]],
        number=found["moved"].map(_signed),
    )  # fmt: skip
    placed = place(rows, [""])
    low, high = min(found["moved"].min(), 0.0), max(found["moved"].max(), 0.0)
    air = max((high - low) * 0.12, 0.01)
    scale = alt.Scale(domain=[low - air * (low < 0), high + air], nice=False)
    x = alt.X("moved:Q", title="log odds", scale=scale, axis=alt.Axis(tickCount=5))
    base = alt.Chart(placed.rows).encode(y=placed.y(placed.labels), x=x)
    told = ["modality", "attribute", "numbers", alt.Tooltip("moved:Q", format="+.3f")]
    bars = base.mark_bar(size=14, orient="horizontal").encode(
        x2=alt.datum(0), color=alt.Color("colour:N", scale=None), tooltip=told
    )
    sides: Any = ((">", "left", 4), ("<=", "right", -4))
    numbers = [
        base.transform_filter(f"datum.moved {sign} 0")
        .mark_text(align=align, dx=dx, fontSize=11, color=style.INK)
        .encode(text="number:N")
        for sign, align, dx in sides
    ]
    return Figure(alt.layer(bars, *numbers).properties(height=placed.height), KEYS)


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", MINUS)

"""Figure 5: what share each modality has in what moves the scores."""

from collections.abc import Mapping
from typing import Any

import altair as alt
import pandas as pd

from charthouse.views.figures import style
from charthouse.views.figures.rows import BETWEEN, Figure, place
from charthouse.views.figures.words import worded, wrapped

METHODS = ("net", "absolute")
"""Those of reports.contributions; the first leads."""
_WORTH_A_NUMBER = 0.07
_BAR = 17


def shares(
    found: pd.DataFrame, colours: Mapping[str, str], panels: Mapping[str, str], *,
    axis: str = "", width: int | None = None,
) -> Figure:  # fmt: skip
    """Stacked bars; rows: arms or learners, most modalities last, below their group.

    Args:
        found: label, modality, share; group and panel where there are several. Further columns are
            shown when one points at a bar.
        colours: Of each modality, in the order in which they are stacked.
        panels: Those that are drawn, with their titles.
        axis: Below them.
        width: Of a panel; None: the place decides, there is one panel.
    """
    stacked = [name for name in colours if name in set(found["modality"])]
    usual = {"group": "", "panel": next(iter(panels)), "series": ""}
    rows = found.assign(**{name: told for name, told in usual.items() if name not in found})
    groups = list(dict.fromkeys(rows["group"]))
    rows = (
        rows.assign(
            first=rows["group"].map(groups.index), then=rows["label"].str.count(r"\+"),
            place=rows["modality"].map(stacked.index),
            group=[wrapped(group) if group else "" for group in rows["group"]],
            # of all bars only blue ones are lighter on a dark page
            ink=[style.PAPER if colours[name] == style.BLUE else "black"
                 for name in rows["modality"]],
        )
        .sort_values(["first", "then", "label", "place"], kind="stable")
        .reset_index(drop=True)
    )  # fmt: skip
    end = rows.groupby(["panel", "group", "label"])["share"].cumsum()
    rows = rows.assign(start=end - rows["share"], end=end, middle=end - rows["share"] / 2)
    placed = place(rows, [""])
    left = placed.labels
    scale = alt.Scale(domain=[0, 1])
    across: dict[str, Any] = {
        "title": axis or None, "scale": scale, "axis": alt.Axis(format="%", tickCount=5)
    }  # fmt: skip
    more = [name for name in found.columns if name not in ("panel", "group", "share")]
    told = [alt.Tooltip(f"{name}:N") for name in more] + [alt.Tooltip("share:Q", format=".1%")]
    palette = alt.Scale(domain=stacked, range=[colours[name] for name in stacked])
    drawn = []
    for at, (name, title) in enumerate(panels.items()):
        labels = 0 if at else left
        base = alt.Chart(placed.rows[placed.rows["panel"] == name]).encode(y=placed.y(labels))
        bars = base.mark_bar(size=_BAR, orient="horizontal").encode(
            x=alt.X("start:Q", **across), x2="end:Q", tooltip=told,
            color=alt.Color("modality:N", scale=palette, legend=None),
        )  # fmt: skip
        numbers = (
            base.transform_filter(f"datum.share >= {_WORTH_A_NUMBER}")
            .mark_text(fontSize=11)
            .encode(
                x=alt.X("middle:Q", **across), text=alt.Text("share:Q", format=".0%"),
                color=alt.Color("ink:N", scale=None),
            )
        )  # fmt: skip
        size = {"width": width, "title": title} if width else {}
        drawn.append(alt.layer(bars, numbers).properties(height=placed.height, **size))
    keys = {worded(name): (colours[name], "square") for name in stacked}
    if width is None:
        return Figure(drawn[0], keys)
    whole = left + len(panels) * width + (len(panels) - 1) * BETWEEN
    return Figure(alt.hconcat(*drawn, spacing=BETWEEN, bounds="flush"), keys, None, whole, left)

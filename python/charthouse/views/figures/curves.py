"""ROC, precision-recall and calibration of a few arms, with their bands."""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import altair as alt
import pandas as pd

from charthouse.views.figures import style
from charthouse.views.figures.rows import Figure
from charthouse.views.figures.style import Key

ROC, PRECISION_RECALL, CALIBRATION = "roc", "precision_recall", "calibration"
_TITLES = {ROC: "ROC", PRECISION_RECALL: "Precision and recall", CALIBRATION: "Calibration"}
_AXES = {
    ROC: ("false positive rate", "true positive rate"),
    PRECISION_RECALL: ("recall", "precision"),
    CALIBRATION: ("mean score of the bin", "observed share"),
}
_SIDE, _LABELS, _AXIS, _BETWEEN, _BELOW = 280, 34, 52, 24, 130
_WORDS = 44  # characters that fit into a panel


def curves(
    found: pd.DataFrame, arms: Mapping[str, str], series: Mapping[str, Key], prevalence: float
) -> Figure:
    """A row of panels for each arm; the other arms' curves in grey behind.

    Args:
        found: Of reports.curves, of one task.
        arms: Run to name, in their order.
        series: Name to colour and shape.
        prevalence: What precision is by chance.
    """
    found = found[found["run_id"].isin(arms)]
    bins = found[found["curve"] == CALIBRATION]
    most = bins[["x", "y", "ci_high"]].astype(float).max().max()
    ends = {CALIBRATION: 1.0 if pd.isna(most) else min(1.0, most * 1.06)}
    panels = [
        _panel(found[found["curve"] == curve], curve, run_id, series[name], prevalence,
               ends.get(curve, 1.0))
        .properties(width=_SIDE, height=_SIDE, title=_title(name if curve == ROC else "", title))
        for run_id, name in arms.items() for curve, title in _TITLES.items()
    ]  # fmt: skip
    width = 3 * (_SIDE + _AXIS) + 2 * _BETWEEN
    chart = alt.concat(*panels, columns=3, bounds="flush",
                       spacing={"row": _BELOW, "column": _AXIS + _BETWEEN})  # fmt: skip
    return Figure(chart, {}, None, width, _AXIS)


def _title(arm: str, curve: str) -> alt.TitleParams:
    look: dict[str, Any] = {"fontWeight": "bold", "subtitleFontSize": 12, "subtitlePadding": 8}
    return alt.TitleParams(arm or " ", subtitle=curve, **look)


def _panel(
    found: pd.DataFrame, curve: str, run_id: str, key: Key, prevalence: float, end: float
) -> Any:
    own = found[found["run_id"] == run_id].sort_values("x", kind="stable")
    known = own[own["y"].notna()]
    band = own[own["ci_low"].notna()]
    scale = alt.Scale(domain=[-0.015 * end, 1.015 * end], nice=False, zero=False)
    axis: dict[str, Any] = {"tickCount": 5, "gridColor": style.PALE}
    below = [_AXES[curve][0], *(_bins(own) if curve == CALIBRATION else ())]
    x = alt.X("x:Q", title=below, scale=scale, axis=alt.Axis(**axis))
    look: dict[str, Any] = {
        "title": _AXES[curve][1], "scale": scale,
        "axis": alt.Axis(minExtent=_LABELS, maxExtent=_LABELS, **axis),
    }  # fmt: skip
    y = alt.Y("y:Q", **look)
    # a straight line between precisions would be too high (stats/curves.py)
    steps: dict[str, Any] = {} if curve != PRECISION_RECALL else {"interpolate": "step-before"}
    at_chance = [prevalence] * 2 if curve == PRECISION_RECALL else [0.0, end]
    chance = pd.DataFrame({"x": [0.0, end], "y": at_chance, "run_id": ""})
    layers = [_line(chance, x, y, color=style.SOFT, strokeWidth=1, strokeDash=style.DASHES)]
    bounds = {"y": alt.Y("ci_low:Q", **look), "y2": "ci_high:Q"}
    if curve == CALIBRATION:
        layers += [
            alt.Chart(band).mark_rule(color=key[0], strokeWidth=1.4).encode(x=x, **bounds),
            _line(known, x, y, color=key[0], strokeWidth=1.2),
            alt.Chart(known)
            .mark_point(shape=key[1], filled=True, color=key[0], size=55, opacity=1)
            .encode(x=x, y=y),
        ]
    else:
        others = found[found["run_id"] != run_id]
        if len(others):
            layers.append(_line(_from_corner(others, curve), x, y, color="#bbbbbb",
                                strokeWidth=1.1, **steps))  # fmt: skip
        layers += [
            alt.Chart(band).mark_area(color=key[0], opacity=0.18, **steps).encode(x=x, **bounds),
            _line(_from_corner(own, curve), x, y, color=key[0], strokeWidth=1.8, **steps),
        ]
    layers += _words(own, curve, prevalence)
    return alt.layer(*layers)


def _line(points: pd.DataFrame, x: alt.X, y: alt.Y, **look: Any) -> alt.Chart:
    drawn = points[["x", "y", "run_id"]].assign(at=range(len(points)))
    return alt.Chart(drawn).mark_line(**look).encode(x=x, y=y, order="at:Q", detail="run_id:N")


def _from_corner(points: pd.DataFrame, curve: str) -> pd.DataFrame:
    """What is drawn: at 0 the ROC has its upper end, and it starts at (0, 0)."""
    known = points[points["y"].notna()].sort_values("x", kind="stable")
    corners = known[["run_id"]].drop_duplicates().assign(x=0.0, y=0.0)
    return pd.concat([corners, known]) if curve == ROC else known


def _words(own: pd.DataFrame, curve: str, prevalence: float) -> Iterator[alt.Chart]:
    """What is written into a panel."""
    small: dict[str, Any] = {"fontSize": 10.5, "color": style.SOFT}
    right = small | {"align": "right"}
    reasons = [*own["reason"].dropna(), "no value"]
    if not own["y"].notna().any():
        words = textwrap.wrap(f"no curve: {reasons[0]}", _WORDS)
        look = small | {"align": "center", "fontStyle": "italic"}
        yield style.text(words, _SIDE / 2, _SIDE / 2, **look)
    elif not own["ci_low"].notna().any() and len(reasons) > 1:
        words = textwrap.wrap(f"no band: {reasons[0]}", _WORDS)
        look = right | {"color": style.WARNING, "fontWeight": "bold"}
        yield style.text(words, _SIDE - 4, _SIDE - 45, **look)
    if curve == PRECISION_RECALL:
        chance = _SIDE * (1 - (prevalence + 0.015) / 1.03)
        below = chance + (5 if prevalence > 0.06 else -16)
        yield style.text([f"prevalence {prevalence:.2f}"], _SIDE - 4, below, **right)


def _bins(own: pd.DataFrame) -> list[str]:
    """How many stays are in each bin, in few words."""
    n = [f"{each:,}" for each in own["n"]]
    if len(set(n)) == 1:
        return [f"{n[0]} stays in each of {len(n)} bins"]
    return textwrap.wrap(f"stays by bin: {', '.join(n)}", 54) if n else []

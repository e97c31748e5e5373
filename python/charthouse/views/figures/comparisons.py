"""Paired differences between arms, or learners: a forest, question by question."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from charthouse.jobs.evaluate.comparisons import SIGNIFICANT
from charthouse.views.figures import style
from charthouse.views.figures.rows import Figure, Panel, numbers_of, whiskers
from charthouse.views.figures.words import MINUS, worded

_SURE, _UNSURE = f"significant after Holm correction (p < {SIGNIFICANT})", "not, or not tested"
_SERIES = {"difference": (style.BLUE, "circle")}
_KEYS = {_SURE: (style.BLUE, "circle"), _UNSURE: (style.BLUE, "hollow")}
_BESIDE = 190
_PAIR = ("question", "arm", "fusion", "other_arm", "other_fusion", "learner", "condition",
         "other_learner", "other_condition")  # fmt: skip


def comparisons(
    found: pd.DataFrame, metric: str, populations: Mapping[str, str], *, width: int | None = None
) -> Figure:
    """Rows: pairs by question; panels: populations; filled: significant.

    Args:
        found: Of reports.comparisons or reports.learner_comparisons, of one task and metric, with
            the label of each pair and its group.
        metric: Its name.
        populations: Those that are drawn, with their titles.
        width: Of a panel; None: the place decides, there is one panel.
    """
    long = pd.DataFrame(
        {
            **{name: found[name] for name in ("label", "group", "p_adjusted", "n", "n_positive")},
            "key": [_pair(row) for row in found.to_dict("records")],
            "panel": found["population"],
            "value": found["difference"].astype(float),
            "low": found["ci_low"].astype(float),
            "high": found["ci_high"].astype(float),
            "note": found["reason"],
            "filled": found["p_adjusted"].astype(float) < SIGNIFICANT,
            "beside": [_figures(row) for row in found.to_dict("records")],
        }
    )
    title = f"{worded(metric)} difference"
    panels = [
        Panel(
            name, style.limits_of([0.0, *numbers_of(long[long["panel"] == name])]),
            f"{title}, {words}" if width else "",
            "right of 0: the first is better" if width else title, 0.0,
        )
        for name, words in populations.items()
    ]  # fmt: skip
    return whiskers(long, panels, _SERIES, keys=_KEYS, width=width, beside=_BESIDE)


def _pair(row: Mapping[str, Any]) -> str:
    """What tells it from the other pairs, whose labels may be the same."""
    return "|".join(str(row.get(name)) for name in ("group", "label", *_PAIR))


def _figures(row: Mapping[str, Any]) -> str | None:
    """Difference, interval and p in a few characters."""
    if pd.isna(row["difference"]):
        return None
    unknown, p = pd.isna(row["ci_low"]), row["p_adjusted"]
    interval = "no interval" if unknown else f"[{row['ci_low']:+.3f}, {row['ci_high']:+.3f}]"
    told = "" if pd.isna(p) else f"\N{EN SPACE}p {p:.3f}"
    return f"{row['difference']:+.3f} {interval}{told}".replace("-", MINUS)

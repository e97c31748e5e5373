"""Figures 6 and 7: learners beside the modular framework's best arm, and by subgroup."""

from collections.abc import Sequence

import pandas as pd

from charthouse.views.figures import style
from charthouse.views.figures.rows import Figure, Panel, numbers_of, whiskers
from charthouse.views.figures.style import Key
from charthouse.views.figures.words import METRICS, worded

BEST_ARM = "best arm of the modular framework"
KINDS: dict[str, Key] = {
    "general": (style.BLUE, "circle"),
    "domain-specific": (style.GREEN, "diamond"),
    BEST_ARM: (style.VERMILLION, "square"),
}
COUNTED = {
    "answered": ", refusals left out",
    "as_wrong": ", each refusal as wrong",
    "asked": "",
    "p_yes": " of P(yes)",
}
"""How answers are counted (reports.learner_subgroups.counting), behind the name of a metric."""
_OF_ARMS = ("accuracy", "auroc")
"""What a learner and an arm both have."""


def figure_words(figure: str) -> str:
    """A column of reports.learners in words, such as accuracy_as_wrong.

    Example:
        >>> figure_words("accuracy_as_wrong"), figure_words("auroc")
        ('Accuracy, each refusal as wrong', 'AUROC of P(yes)')
    """
    if figure == "share_answered":
        return "Share answered yes or no"
    for counting in ("answered", "as_wrong"):
        if figure.endswith(f"_{counting}"):
            return METRICS[figure.removesuffix(f"_{counting}")] + COUNTED[counting]
    return worded(figure) + COUNTED["p_yes"]


def estimates(found: pd.DataFrame, figure: str) -> pd.DataFrame:
    """A figure of reports.learners with its interval, as rows are drawn."""
    return pd.DataFrame(
        {
            "label": found["technique"].fillna(found["learner"]),
            "value": found[f"{figure}_value"],
            "low": found[f"{figure}_low"],
            "high": found[f"{figure}_high"],
            "note": found[f"{figure}_reason"],
            "n": found["n"],
        }
    )


def beside_best_arm(
    learners: pd.DataFrame, best: pd.DataFrame, figures: Sequence[str], *, width: int | None = None
) -> Figure:
    """Rows: learners, then the best arm; a panel a figure.

    Args:
        learners: Of reports.learners, of one task and condition.
        best: Of reports.leaderboard, the row of the best arm on all stays; or empty.
        figures: Columns of reports.learners, such as accuracy_as_wrong or auroc.
        width: Of a panel; None: the place decides, there is one panel.
    """
    parts = []
    for figure in figures:
        kinds = learners["domain"].where(learners["domain"].isin(KINDS), "general")
        parts.append(estimates(learners, figure).assign(series=kinds, panel=figure))
        metric = figure.removesuffix("_as_wrong").removesuffix("_answered")
        if metric in _OF_ARMS and len(best):
            arm = best.rename(columns={f"{metric}_reason": f"{metric}_note", "arm": "label"})
            named = {f"{metric}_{name}": name for name in ("value", "low", "high", "note")}
            arm = arm[["label", "n", *named]].rename(columns=named)
            parts.append(arm.assign(series=BEST_ARM, panel=figure))
    rows = pd.concat(parts)
    panels = [
        Panel(
            figure,
            style.limits_of(numbers_of(rows[rows["panel"] == figure])),
            title=figure_words(figure) if width else "",
            axis="" if width else figure_words(figure),
            reference=0.5 if figure == "auroc" else None,
        )
        for figure in figures
    ]
    return whiskers(rows, panels, KINDS, width=width)

"""Figure 4: how good arms, or learners, are by subgroup, and how far apart the subgroups are."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from charthouse.views.figures import style
from charthouse.views.figures.rows import Figure, Panel, numbers_of, whiskers
from charthouse.views.figures.style import Key
from charthouse.views.figures.words import group_words, reason_words, shortened, worded

RATIOS = {
    "demographic_parity_ratio": "Demographic parity ratio",
    "equalized_odds_ratio": "Equalized odds ratio",
}
_FIRST = ("age_group", "gender", "race_group")
_BESIDE = 340
_REASON = 64  # characters that fit beside
_WARNING = "\N{MULTIPLICATION SIGN} no interval, conclude nothing: why stands beside it"
_IN_TABLE = "\N{MULTIPLICATION SIGN} no interval, conclude nothing: why stands in the table"


def in_order(attributes: Sequence[str]) -> list[str]:
    """Age, gender and race first."""
    return sorted(attributes, key=lambda name: (*(name != first for first in _FIRST), name))


def subgroups(
    found: pd.DataFrame, title: str, series: Mapping[str, Key], *, reference: float | None,
    width: int | None = None,
) -> Figure:  # fmt: skip
    """Rows: groups by attribute; arms below one another.

    Args:
        found: Of reports.subgroups or reports.learner_subgroups, of one task and metric, groups in
            their order, with the `series` of each row.
        title: The metric in words.
        series: Arms or learners: colour and shape.
        reference: Chance, or None.
        width: Of the panel; None: the place decides.
    """
    order = in_order(sorted(set(found["attribute"])))
    found = found.sort_values("attribute", key=lambda names: names.map(order.index), kind="stable")
    rows = found.to_dict("records")
    long = _long(found).assign(
        label=[_group(row) for row in rows],
        key=[f"{row['attribute']}|{row['subgroup']}" for row in rows],
        group=[worded(row["attribute"]) for row in rows],
    )
    low, high = style.limits_of([*numbers_of(long), *([] if reference is None else [reference])])
    panel = Panel("", (max(low, 0.0), min(high, 1.0)), axis=title, reference=reference)
    return _drawn(long, panel, series, width)


def fairness(found: pd.DataFrame, series: Mapping[str, Key], *, width: int | None = None) -> Figure:
    """Rows: attributes by ratio; 1: the groups are alike.

    Args:
        found: Of reports.fairness, of one task, with the `series` of each row.
        series: Arms: colour and shape.
        width: Of the panel; None: the place decides, and has a table below.
    """
    found = found[found["metric"].isin(RATIOS)]
    order = in_order(sorted(set(found["attribute"])))
    found = found.assign(
        at=found["metric"].map(list(RATIOS).index),
        then=found["attribute"].map(order.index),
        reason=[
            reason_words(*row) for row in found[["attribute", "reason"]].itertuples(index=False)
        ],
    ).sort_values(["at", "then"], kind="stable")
    without = found.groupby("attribute")["left_out"].agg(
        lambda lists: sorted({group for groups in lists for group in groups})
    )
    long = _long(found).assign(
        label=["\n".join([worded(name), *_without(name, without[name])])
               for name in found["attribute"]],
        key=found["attribute"],
        group=found["metric"].map(RATIOS),
    )  # fmt: skip
    panel = Panel("", (0, 1.02), axis="1: the groups are alike", reference=1.0)
    figure = _drawn(long, panel, series, width)
    return replace(figure, warning=_IN_TABLE) if figure.warning and not width else figure


def _drawn(
    long: pd.DataFrame, panel: Panel, series: Mapping[str, Key], width: int | None
) -> Figure:
    figure = whiskers(long, [panel], series, width=width, beside=_BESIDE)
    beside = width and figure.warning
    return replace(figure, warning=_WARNING) if beside else figure


def _long(found: pd.DataFrame) -> pd.DataFrame:
    lacking = found["value"].notna() & found["ci_low"].isna()
    why = found["reason"].fillna("too few resamples")
    return pd.DataFrame(
        {
            "series": found["series"],
            "value": found["value"].astype(float),
            "low": found["ci_low"].astype(float),
            "high": found["ci_high"].astype(float),
            "note": found["reason"],
            "beside": [
                shortened(f"no interval: {reason}", _REASON) if lacks else None
                for lacks, reason in zip(lacking, why, strict=True)
            ],
        }
    )


def _group(row: Mapping[str, Any]) -> str:
    """A group and its stays; of accuracy, beside that of the larger class."""
    n, n_positive = row["n"], row["n_positive"]
    larger = f", larger class {max(n_positive, n - n_positive) / n:.2f}" if n else ""
    beside = larger if row["metric"] == "accuracy" else ""
    name = group_words(row["attribute"], row["subgroup"])
    return f"{name}\nn {n:,}, {n_positive:,} positive{beside}"


def _without(attribute: str, groups: Sequence[str]) -> list[str]:
    named = ", ".join(group_words(attribute, group) for group in groups)
    return textwrap.wrap(f"without {named}", 34) if groups else []

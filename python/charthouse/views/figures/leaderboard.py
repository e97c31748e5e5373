"""Tables II and III: each arm with its interval, the published figures beside it."""

from collections.abc import Sequence

import pandas as pd

from charthouse.jobs.evaluate.scored import ALL
from charthouse.views.figures import style
from charthouse.views.figures.rows import Figure, Panel, numbers_of, whiskers
from charthouse.views.figures.words import worded

PURPOSES = {
    "paper": "Arms of the paper",
    "added": "More of the ICU",
    "classical": "Classical",
    "honest": "Sanity baselines",
    "other": "Asked for by name",
}
OURS, PUBLISHED = "ours, 95 % interval", "published (real MIMIC-IV)"
_SERIES = {OURS: (style.BLUE, "circle"), PUBLISHED: (style.VERMILLION, "hollow")}
_REFERENCES = {"auroc": 0.5, "calibration_slope": 1.0, "calibration_intercept": 0.0}


def labels(found: pd.DataFrame) -> list[str]:
    """Of arms; with their fusion where there are several."""
    several = found["fusion"].dropna().nunique() > 1
    return [
        f"{row.arm} ({row.fusion})" if several and isinstance(row.fusion, str) else row.arm
        for row in found.itertuples()
    ]


def leaderboard(
    found: pd.DataFrame, shown: Sequence[tuple[str, str]], *, published: bool = True,
    width: int | None = None,
) -> Figure:  # fmt: skip
    """Rows: arms by purpose, the best first, those only published last; panels: as asked.

    Args:
        found: Of reports.leaderboard, of one task.
        shown: Metric and population of each panel.
        published: Whether the paper's figures are shown too, where they are of a panel.
        width: Of a panel; None: the place decides, there is one panel.
    """
    found = found.assign(label=labels(found), group=found["purpose"].map(PURPOSES))
    long = pd.concat([_long(found, *panel, published=published) for panel in shown])
    metric, population = shown[0]
    first = long[long["panel"] == f"{metric} {population}"].drop_duplicates("label")
    rank = dict(zip(first["label"], _from_best(first["value"], metric), strict=True))
    order = {group: at for at, group in enumerate(PURPOSES.values())}
    ours = set(long.loc[long["series"] == OURS, "label"])
    long = long.assign(
        at=long["group"].map(order), last=~long["label"].isin(ours), rank=long["label"].map(rank)
    ).sort_values(["at", "last", "rank", "label", "series"], kind="stable")
    panels = []
    for metric, population in shown:
        ends = style.limits_of(numbers_of(long[long["metric"] == metric]))
        mine = found[(found["population"] == population) & found["run_id"].notna()]
        chance = _REFERENCES.get(metric)
        if metric == "auprc" and len(mine):
            chance = float((mine["n_positive"] / mine["n"]).iloc[0])
        title = f"{worded(metric)}, {style.POPULATIONS[population]}"
        panels.append(
            Panel(f"{metric} {population}", ends, title if width else "",
                  "" if width else worded(metric), chance)
        )  # fmt: skip
    return whiskers(
        long.drop(columns=["at", "last", "rank", "metric"]), panels, _SERIES, width=width
    )


def _from_best(values: pd.Series, metric: str) -> pd.Series:
    """The smaller, the better."""
    if metric in ("calibration_slope", "calibration_intercept"):
        return (values - _REFERENCES[metric]).abs()
    return values if metric in ("brier", "ece") else -values


def _long(found: pd.DataFrame, metric: str, population: str, *, published: bool) -> pd.DataFrame:
    ours = found[found["run_id"].notna() & (found["population"] == population)]
    parts = [(ours, metric, OURS)]
    if published and population == ALL and f"published_{metric}_value" in found:
        of_all = found[found["population"] == ALL]
        theirs = of_all[of_all[f"published_{metric}_value"].notna()]
        parts.append((theirs, f"published_{metric}", PUBLISHED))
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "label": rows["label"],
                    **{name: rows[f"{column}_{name}"].astype(float)
                       for name in ("value", "low", "high")},
                    "note": rows[f"{column}_reason"] if series == OURS else None,
                    "series": series,
                    "filled": series == OURS,
                    "group": rows["group"],
                    "panel": f"{metric} {population}",
                    "metric": metric,
                    **{name: rows[name] if series == OURS else None
                       for name in ("n", "n_positive", "run_id")},
                }
            )
            for rows, column, series in parts
        ]
    )  # fmt: skip

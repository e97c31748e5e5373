"""Figure 5: what share each modality has in what moves the scores."""

import pandas as pd
import streamlit as st

from charthouse.jobs.evaluate.scored import COMPLETE, POPULATIONS
from charthouse.views.dashboard import charts, parts
from charthouse.views.dashboard.data import Copy, Site, modalities, tasks
from charthouse.views.figures import style
from charthouse.views.figures.leaderboard import labels
from charthouse.views.figures.shares import METHODS, shares
from charthouse.views.figures.style import Key


def show(site: Site, copy: Copy) -> None:
    """The page."""
    parts.head(
        site, copy, "Modality contributions",
        "Of what moves the scores of a logistic regression, the share of each modality. On all"
        " stays a modality that most stays lack can move little; on complete cases none is absent.",
    )  # fmt: skip
    task = parts.choose_task(tasks(copy))
    found = parts.rows_of(
        copy, "reports.contributions", task,
        "No contributions for {task} on this cohort: they are of logistic regressions that"
        " have been evaluated.",
        *parts.EVALUATED,
    )  # fmt: skip
    if found is None:
        return
    found = found.assign(label=labels(found))
    names = dict(zip(found["method"], found["method_label"], strict=True))
    methods = [method for method in METHODS if method in names]
    method = parts.choose("Counted", methods, names, key="method")
    arms = parts.choose_some("Arms", sorted(set(found["label"])), key="arm")
    shown = found[(found["method"] == method) & found["label"].isin(arms)]
    colours = style.modality_colours(modalities(copy))
    keys: dict[str, Key] = {}
    for population in POPULATIONS:
        of = shown[shown["population"] == population]
        stays = f"n {int(of['n'].max()):,}" if len(of) else "none"
        st.markdown(f"**{parts.worded(style.POPULATIONS[population])}** ({stays})")
        if of.empty:
            lacking = "has every modality" if population == COMPLETE else "is among them"
            st.caption(f"No test stay {lacking}.")
            continue
        figure = shares(
            of[["label", "modality", "share"]].assign(interval=_intervals(of)), colours,
            {population: ""}, axis="share of what moves the score",
        )  # fmt: skip
        if keys != figure.keys:
            charts.legend(keys := dict(figure.keys))
        charts.draw(figure, f"Shares of the modalities by arm, {style.POPULATIONS[population]}.")
    st.markdown("**The same as a table**")
    parts.table(
        pd.DataFrame(
            {
                "arm": shown["label"],
                "stays": shown["population"].map(style.POPULATIONS),
                "modality": shown["modality"],
                "share": _intervals(shown),
                "why no interval": shown["reason"],
                "mean |contribution|, log odds": shown["mean_absolute"],
                "n": shown["n"],
                "run": shown["run_id"],
            }
        )
    )


def _intervals(found: pd.DataFrame) -> list[str]:
    return [parts.interval(row, "share", "ci_low", "ci_high", ".3f") for _, row in found.iterrows()]

"""Figure 5: what share each modality has in what moves the scores."""

import pandas as pd
import streamlit as st

from charthouse.jobs.evaluate.scored import COMPLETE, POPULATIONS
from charthouse.views.dashboard import charts, parts
from charthouse.views.dashboard.data import Copy, Site, modalities
from charthouse.views.figures import style
from charthouse.views.figures.leaderboard import labels
from charthouse.views.figures.shares import METHODS, shares
from charthouse.views.figures.style import Key
from charthouse.views.figures.words import short_arm


@parts.page(
    "contributions", "Modality contributions",
    "Of what moves the scores of a logistic regression, the share of each modality. On all stays a"
    " modality that most stays lack can move little; on complete cases none is absent.",
)  # fmt: skip
def page(site: Site, copy: Copy) -> None:
    """Stacked shares for each population."""
    task, row = parts.choose_task(copy)
    found = parts.rows_of(
        copy, "reports.contributions", task, "Contributions are of logistic regressions."
    )
    if found is None:
        return
    found = found.assign(label=labels(found))
    meant = dict(zip(found["method"], found["method_label"], strict=True))
    with row:
        method = parts.choose("Counted", [of for of in METHODS if of in meant], key="method")
        arms = parts.choose_some("Arms", sorted(set(found["label"])), key="arm")
    shown = found[(found["method"] == method) & found["label"].isin(arms)]
    shown = shown.assign(interval=parts.intervals(shown, "share", form=".3f"))
    st.caption(parts.as_written(meant[method]))
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
            of[["label", "modality", "share", "interval"]], colours, {population: ""},
            axis="share of what moves the score",
        )  # fmt: skip
        if keys != figure.keys:
            charts.legend(keys := dict(figure.keys))
        charts.draw(figure, f"Shares of the modalities by arm, {style.POPULATIONS[population]}.")
    shown = pd.DataFrame(
        {
            "Arm": shown["label"].map(short_arm),
            "Stays": shown["population"].map(style.POPULATIONS),
            "Modality": shown["modality"],
            "Share": shown["interval"],
            "Why no interval": shown["reason"],
            "Mean |contribution|, log odds": shown["mean_absolute"],
            "N": shown["n"],
            "Run": shown["run_id"],
            "Arm in full": shown["label"],
        }
    )
    parts.table(copy, shown, f"contributions-{task}-{method}", title="The same as a table")

"""Tables II and III: every arm with its intervals, the paper's metrics beside ours."""

from typing import Any

import pandas as pd
import streamlit as st

from charthouse.jobs.evaluate.scored import ALL
from charthouse.views.dashboard import charts, parts
from charthouse.views.dashboard.data import Copy, Site, read
from charthouse.views.figures.leaderboard import labels, leaderboard
from charthouse.views.report.page import DETAILS, HEADLINE
from charthouse.views.report.read import leaderboard_rows

METRICS = (*HEADLINE, *DETAILS)


@parts.page(
    "leaderboard", "Leaderboard",
    "Every arm on the test split, with its 95 % interval over patients, and the paper's metrics"
    " beside ours. Overlapping intervals: the data cannot rank these arms; see *Comparisons*.",
    "reports.leaderboard",
)  # fmt: skip
def page(site: Site, copy: Copy) -> None:
    """One metric of one population as a chart, all metrics as a table."""
    task, row = parts.choose_task(copy)
    found = pd.DataFrame(read(copy, leaderboard_rows, task))
    if found.empty or found["run_id"].isna().all():
        parts.not_evaluated(task)
        return
    with row:
        metric = parts.choose("Metric", METRICS, key="metric")
        population = parts.choose_population()
        filters = st.popover("Filters")  # folded: the first arms are in view on a small screen
    of_population = found[found["population"] == population]
    with filters:
        shown = _filtered(of_population)
    with_paper = (
        population == ALL
        and metric in HEADLINE
        and st.toggle("The paper's metrics", value=True, key="paper", bind="query-params")
    )
    if shown["run_id"].isna().all() and not with_paper:
        parts.empty("No arm of ours is left by these filters.")
        return
    runs, left = of_population["run_id"].nunique(), shown["run_id"].nunique()
    if left < runs:  # an arm has a run for each fusion
        parts.text(f"Filters leave {left} of {runs} runs.", small=True)
    charts.show(
        leaderboard(shown, [(metric, population)], published=with_paper),
        f"{parts.worded(metric)} of each arm, with intervals.",
    )
    table(copy, shown[shown["run_id"].notna()], f"leaderboard-{task}", with_paper=with_paper)


def _filtered(found: pd.DataFrame) -> pd.DataFrame:
    found = found.assign(
        modalities=[
            " + ".join(part.partition("[")[0] for part in arm.split("+")) for arm in found["arm"]
        ]
    )
    ours = found[found["run_id"].notna()]
    runs = {row.run_id: f"{row.arm} \u00b7 {row.run_id}" for row in ours.itertuples()}
    order = sorted(set(found["modalities"]), key=lambda name: (name.count("+"), name))
    modalities = parts.choose_some("Modalities", order, key="modalities")
    run = parts.choose_some("Run", list(runs), runs, key="run")
    fusions = parts.choose_some("Fusion", sorted(set(ours["fusion"])), key="fusion")
    seen = parts.choose_seen()
    kept = found["modalities"].isin(modalities) & found["saw_mimic"].isin(seen)
    if len(run) < len(ours):
        kept &= found["run_id"].isin(run)
    if len(fusions) < ours["fusion"].nunique():
        kept &= found["fusion"].isin(fusions)
    return found[kept]


def table(copy: Copy, found: pd.DataFrame, name: str, *, with_paper: bool) -> None:
    """All metrics of the arms of reports.leaderboard."""
    shown: dict[str, Any] = {
        "Arm": parts.short(found), "Stays": found["n"], "Positive": found["n_positive"]
    }  # fmt: skip
    for metric in METRICS:
        shown[parts.worded(metric)] = parts.intervals(found, metric)
        if with_paper and metric in HEADLINE:
            shown[f"{parts.worded(metric)}, published"] = found[f"published_{metric}"]
        if metric == "accuracy":
            shown[parts.MAJORITY] = found["majority_accuracy"].round(4)
    shown["Why no interval"] = [
        "; ".join(dict.fromkeys(row[[f"{metric}_reason" for metric in METRICS]].dropna()))
        for _, row in found.iterrows()
    ]
    shown |= {"Saw MIMIC": found["saw_mimic"], "Converged": found["converged"],
              "Run": found["run_id"], "Arm in full": labels(found)}  # fmt: skip
    parts.table(copy, pd.DataFrame(shown), name, title="The same as a table")

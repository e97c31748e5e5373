"""Tables II and III: every arm with its intervals, the paper's figures beside ours."""

import pandas as pd
import streamlit as st

from charthouse.jobs.evaluate.scored import ALL
from charthouse.views.dashboard import charts, parts
from charthouse.views.dashboard.data import Copy, Site, rows, tasks
from charthouse.views.figures.leaderboard import labels, leaderboard
from charthouse.views.report.page import DETAILS, HEADLINE
from charthouse.views.report.read import leaderboard_rows

METRICS = (*HEADLINE, *DETAILS)


def show(site: Site, copy: Copy) -> None:
    """The page."""
    parts.head(
        site, copy, "Leaderboard",
        "Every arm on the test split, with its 95 % interval over patients, and the paper's"
        " figures beside ours. Arms whose whiskers overlap widely are not told apart here: see"
        " *Comparisons*.",
    )  # fmt: skip
    if not parts.has_tables(copy, "reports.leaderboard"):
        return
    task = parts.choose_task(tasks(copy))
    found = pd.DataFrame(rows(copy, leaderboard_rows, task))
    if found.empty or found["run_id"].isna().all():
        parts.empty(
            f"Nothing has been evaluated for {parts.as_written(task)} on this cohort.",
            "charthouse embed", "charthouse predict", "charthouse evaluate", "charthouse publish",
        )  # fmt: skip
        return
    left, right = st.columns(2)
    with left:
        metric = parts.choose_long("Metric", METRICS, key="metric")
    with right:
        population = parts.choose_population()
    shown = _filtered(found[found["population"] == population])
    with_paper = population == ALL and metric in HEADLINE
    if with_paper:
        with_paper = st.toggle("The paper's figures", value=True, key="paper", bind="query-params")
    if shown["run_id"].isna().all() and not with_paper:
        parts.empty("No arm of ours is left by these filters.")
        return
    charts.show(
        leaderboard(shown, [(metric, population)], published=with_paper),
        f"{parts.worded(metric)} of each arm, with intervals.",
    )
    _table(shown[shown["run_id"].notna()], with_paper=with_paper)


def _filtered(found: pd.DataFrame) -> pd.DataFrame:
    found = found.assign(
        modalities=[
            " + ".join(part.partition("[")[0] for part in arm.split("+")) for arm in found["arm"]
        ]
    )
    ours = found[found["run_id"].notna()]
    left, middle, right, last = st.columns(4)
    with left:
        order = sorted(set(found["modalities"]), key=lambda name: (name.count("+"), name))
        modalities = parts.choose_some("Modalities", order, key="modalities")
    with middle:
        runs = parts.choose_some(
            "Run", list(ours["run_id"]), dict(zip(ours["run_id"], _named(ours), strict=True)),
            key="run",
        )  # fmt: skip
    with right:
        fusions = parts.choose_some("Fusion", sorted(set(ours["fusion"])), key="fusion")
    with last:
        seen = parts.choose_seen()
    kept = found["modalities"].isin(modalities) & found["saw_mimic"].isin(seen)
    if len(runs) < len(ours):
        kept &= found["run_id"].isin(runs)
    if len(fusions) < ours["fusion"].nunique():
        kept &= found["fusion"].isin(fusions)
    return found[kept]


def _named(ours: pd.DataFrame) -> list[str]:
    """Run and arm: neither alone says what one wants to know."""
    return [f"{row.arm} · {row.run_id}" for row in ours.itertuples()]


def _table(found: pd.DataFrame, *, with_paper: bool) -> None:
    shown = pd.DataFrame(
        {"arm": labels(found), "stays": found["n"], "positive": found["n_positive"]}
    )
    for metric in METRICS:
        shown[parts.worded(metric)] = [
            parts.interval(row, *(f"{metric}_{part}" for part in ("value", "low", "high")))
            for _, row in found.iterrows()
        ]
        if with_paper and metric in HEADLINE:
            shown[f"{parts.worded(metric)}, published"] = found[f"published_{metric}"]
        if metric == "accuracy":
            shown[parts.MAJORITY] = found["majority_accuracy"].round(4)
    shown["why no interval"] = [
        "; ".join(dict.fromkeys(row[[f"{metric}_reason" for metric in METRICS]].dropna()))
        for _, row in found.iterrows()
    ]
    shown["saw MIMIC"] = found["saw_mimic"]
    shown["converged"] = found["converged"]
    shown["run"] = found["run_id"]
    st.markdown("**The same as a table**")
    parts.table(shown)

"""Tables II and III: every arm with its intervals, the paper's figures beside ours."""

import pandas as pd
import streamlit as st

from charthouse.jobs.evaluate.scored import ALL
from charthouse.views.dashboard import charts, parts
from charthouse.views.dashboard.charts import Whiskers
from charthouse.views.dashboard.data import Copy, Site, rows, tasks
from charthouse.views.report.leaderboard import OURS, PUBLISHED, PURPOSES
from charthouse.views.report.page import DETAILS, HEADLINE
from charthouse.views.report.read import leaderboard_rows

METRICS = (*HEADLINE, *DETAILS)
MINE, PAPERS = "ours, 95 % interval", "published (real MIMIC-IV)"
SERIES = {MINE: (OURS, "circle"), PAPERS: (PUBLISHED, "circle")}


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
    _plot(shown, metric, with_paper=with_paper)
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


def labels(found: pd.DataFrame) -> list[str]:
    """Of arms; with their fusion where there are several."""
    several = found["fusion"].dropna().nunique() > 1
    return [
        f"{row.arm} ({row.fusion})" if several and isinstance(row.fusion, str) else row.arm
        for row in found.itertuples()
    ]


def _plot(found: pd.DataFrame, metric: str, *, with_paper: bool) -> None:
    common = ["purpose", "n", "n_positive", "run_id"]
    ours = found[found["run_id"].notna()]
    long = _long(ours, labels(ours), metric, common).assign(series=MINE)
    if with_paper:
        theirs = found[found[f"published_{metric}_value"].notna()]
        paper = _long(theirs, labels(theirs), f"published_{metric}", ["purpose"])
        long = pd.concat([long, paper.assign(series=PAPERS, filled=False)])
    # best first within a purpose; those that were only published last
    best = long[long["series"] == MINE].set_index("label")["value"]
    long["rank"] = [-best.get(label, float("-inf")) for label in long["label"]]
    long = long.sort_values(["rank", "label"], kind="stable")
    charts.say_without_interval(long)
    ends = charts.domain(long)
    reference = {"auroc": 0.5, "calibration_slope": 1.0, "calibration_intercept": 0.0}.get(metric)
    if metric == "auprc" and len(ours):
        reference = float((ours["n_positive"] / ours["n"]).iloc[0])
    charts.legend(
        {name: (colour, "hollow" if name == PAPERS else shape)
         for name, (colour, shape) in SERIES.items() if with_paper or name == MINE}
    )  # fmt: skip
    for purpose, title in PURPOSES.items():
        of_purpose = long[long["purpose"] == purpose].drop(columns=["purpose", "rank"])
        if len(of_purpose):
            st.markdown(f"**{title}**")
            charts.whiskers(
                Whiskers(
                    of_purpose, parts.worded(metric), ends, SERIES, reference,
                    f"{parts.worded(metric)} of {title.lower()}, with intervals.",
                )
            )  # fmt: skip


def _long(found: pd.DataFrame, names: list[str], metric: str, more: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "label": names,
            "value": found[f"{metric}_value"].astype(float),
            "low": found[f"{metric}_low"].astype(float),
            "high": found[f"{metric}_high"].astype(float),
            "filled": True,
            "note": found.get(f"{metric}_reason"),
            **{name: found[name] for name in more},
        }
    )


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

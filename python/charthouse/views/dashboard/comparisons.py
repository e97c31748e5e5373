"""Is one arm better than another? Paired differences on the same stays and resamples."""

import pandas as pd
import streamlit as st

from charthouse.jobs.evaluate.comparisons import PRIMARY, SIGNIFICANT
from charthouse.views.dashboard import charts, parts
from charthouse.views.dashboard.data import Copy, Site
from charthouse.views.figures.comparisons import comparisons
from charthouse.views.figures.words import asked_under, pair_label, short_arm


@parts.page(
    "comparisons", "Comparisons",
    "Differences between two arms on the same stays and resamples of patients: right of zero the"
    " first is better (of Brier score and calibration error: worse). AUROC is the primary metric:"
    " filled dots are significant after Holm correction for how many were asked of a question and"
    " fusion. All others are exploratory.",
)  # fmt: skip
def page(site: Site, copy: Copy) -> None:
    """Pairs of arms, question by question."""
    task, row = parts.choose_task(copy)
    found = parts.rows_of(
        copy, "reports.comparisons", task,
        "It takes arms that differ in one thing, or a pair named by --compare.",
    )  # fmt: skip
    if found is None:
        return
    with row:
        of_arms = found[found["attribute"].isna()]
        metric = parts.choose("Metric", _in_order(of_arms["metric"]), key="metric")
        population = parts.choose_population()
    fusions = sorted(set(found["fusion"]))
    with st.container(horizontal=True):
        questions = parts.choose_some("Question", sorted(set(found["question"])), key="question")
        seen = parts.choose_seen()
        if len(fusions) > 1:
            fusions = parts.choose_some("Asked under the fusion", fusions, key="fusion")
    only_sure = st.toggle(
        f"Only those significant after Holm correction (p < {SIGNIFICANT})",
        key="sure", bind="query-params",
    )  # fmt: skip
    shown = found[
        (found["metric"] == metric)
        & found["attribute"].isna()
        & (found["population"] == population)
        & found["question"].isin(questions)
        & found["saw_mimic"].isin(seen)
        & found["other_saw_mimic"].isin(seen)
        & found["fusion"].isin(fusions)
    ]
    asked = len(shown)
    if only_sure:
        shown = shown[shown["p_adjusted"] < SIGNIFICANT]
    parts.role(metric)
    sure = int((shown["p_adjusted"] < SIGNIFICANT).sum())
    st.caption(
        f"{len(shown)} of {asked} comparisons"
        + (f"; {sure} of them significant after Holm correction." if metric == PRIMARY else ".")
    )
    if shown.empty:
        parts.empty("No comparison is left by these filters.")
        return
    _plot(shown, metric)
    _table(copy, shown, f"comparisons-{task}-{metric}")


def _in_order(metrics: pd.Series) -> list[str]:
    known = [name for name in parts.METRICS if name in set(metrics)]
    return known + sorted(set(metrics) - set(known))


def _plot(found: pd.DataFrame, metric: str) -> None:
    several = len({*found["fusion"], *found["other_fusion"]}) > 1
    asked = [
        asked_under(question, fusion, None if several else fusion)
        for question, fusion in zip(found["question"], found["fusion"], strict=True)
    ]
    figure = comparisons(
        found.assign(
            group=[parts.worded(question) for question in asked],
            label=[pair_label(row, several_fusions=several) for row in found.to_dict("records")],
        ).sort_values("group", kind="stable"),
        metric, {found["population"].iloc[0]: ""},
    )  # fmt: skip
    charts.show(figure, f"Differences of {parts.worded(metric)}, question by question.")


def _table(copy: Copy, found: pd.DataFrame, name: str) -> None:
    shown = pd.DataFrame(
        {
            "Question": found["question"],
            "Arm": found["arm"].map(short_arm),
            "Minus": found["other_arm"].map(short_arm),
            "Difference": parts.intervals(found, "difference", form="+.4f"),
            "Role": [parts.ROLES[metric == PRIMARY] for metric in found["metric"]],
            "P": found["p_value"],
            "Corrected p": found["p_adjusted"],
            "Asked": found["n_asked"],
            "Stays": found["n"],
            "Positive": found["n_positive"],
            "Saw MIMIC": found["saw_mimic"],
            "The other saw MIMIC": found["other_saw_mimic"],
            "Why no value or interval": found["reason"],
            "Fusion": found["fusion"],
            "Run": found["run_id"],
            "Run of the other": found["other_run_id"],
            "Arm in full": found["arm"],
            "The other in full": found["other_arm"],
        }
    )
    parts.table(copy, shown, name, title="The same as a table")

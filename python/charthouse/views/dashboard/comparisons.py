"""Is one arm better than another? Paired differences on the same stays and resamples."""

import pandas as pd
import streamlit as st

from charthouse.jobs.evaluate.comparisons import PRIMARY, SIGNIFICANT
from charthouse.views.dashboard import charts, parts
from charthouse.views.dashboard.data import Copy, Site, tasks
from charthouse.views.figures.comparisons import comparisons
from charthouse.views.figures.words import asked_under, pair_label


def show(site: Site, copy: Copy) -> None:
    """The page."""
    parts.head(
        site, copy, "Comparisons",
        "Differences between two arms on the same stays and resamples of patients: right of zero"
        " the first is better (of Brier score and calibration error: worse). AUROC is the primary"
        " metric: filled dots are significant after Holm correction for how many were asked"
        " of a question and fusion. All"
        " others are exploratory.",
    )  # fmt: skip
    task = parts.choose_task(tasks(copy))
    found = parts.rows_of(
        copy, "reports.comparisons", task,
        "No two arms have been compared for {task} on this cohort: it takes arms that differ in"
        " one thing, or a pair named by --compare.",
        *parts.EVALUATED,
    )  # fmt: skip
    if found is None:
        return
    left, right = st.columns(2)
    with left:
        of_arms = found[found["attribute"].isna()]
        metric = parts.choose_long("Metric", _in_order(of_arms["metric"]), key="metric")
    with right:
        population = parts.choose_population()
    left, right = st.columns(2)
    with left:
        questions = parts.choose_some("Question", sorted(set(found["question"])), key="question")
    with right:
        seen = parts.choose_seen()
    fusions = sorted(set(found["fusion"]))
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
    _table(shown)


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


def _table(found: pd.DataFrame) -> None:
    shown = pd.DataFrame(
        {
            "question": found["question"],
            "arm": found["arm"],
            "minus": found["other_arm"],
            "difference": [
                parts.interval(row, "difference", "ci_low", "ci_high", "+.4f")
                for _, row in found.iterrows()
            ],
            "role": [parts.ROLES[metric == PRIMARY] for metric in found["metric"]],
            "p": found["p_value"],
            "corrected p": found["p_adjusted"],
            "asked": found["n_asked"],
            "stays": found["n"],
            "positive": found["n_positive"],
            "saw MIMIC": found["saw_mimic"],
            "the other saw MIMIC": found["other_saw_mimic"],
            "why no value or interval": found["reason"],
            "fusion": found["fusion"],
            "run": found["run_id"],
            "run of the other": found["other_run_id"],
        }
    )
    st.markdown("**The same as a table**")
    parts.table(shown)

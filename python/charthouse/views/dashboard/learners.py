"""Figures 6 and 7: multimodal learners beside the modular framework, and what they rest on."""

from collections.abc import Callable

import pandas as pd
import streamlit as st

from charthouse.jobs.ask.conditions import CONTROLS, FULL
from charthouse.jobs.evaluate.learner_metrics import OF_DECISIONS, OF_P_YES
from charthouse.views.dashboard import charts, parts
from charthouse.views.dashboard.data import Copy, Site, frame, modalities
from charthouse.views.dashboard.subgroups import drawn_attributes, groups_of
from charthouse.views.figures import style
from charthouse.views.figures.comparisons import comparisons
from charthouse.views.figures.learners import COUNTED, beside_best_arm, estimates, figure_words
from charthouse.views.figures.rows import Panel, numbers_of, whiskers
from charthouse.views.figures.shares import shares
from charthouse.views.figures.subgroups import subgroups
from charthouse.views.figures.words import MINUS

FIGURES = {
    figure: figure_words(figure)
    for figure in (
        *(f"{metric}_{how}" for how in ("as_wrong", "answered") for metric in OF_DECISIONS),
        *OF_P_YES,
        "share_answered",
    )
}  # fmt: skip
QUESTIONS = {
    "learner_against_arm": "Learner minus the arm",
    "uses_the_picture": "Shown the picture, minus the control",
    "learner_against_learner": "One learner minus another",
}
COMMANDS = (
    "charthouse ask --learner llava_1_5_7b --stays 200 --controls", "charthouse evaluate",
    "charthouse publish",
)  # fmt: skip


@parts.page(
    "learners", "Multimodal learners",
    "Vision-language models that were asked about the same test stays, beside the modular"
    " framework.",
)  # fmt: skip
def page(site: Site, copy: Copy) -> None:
    """One of six sections, each a tab."""
    task, _ = parts.choose_task(copy)
    found = parts.rows_of(
        copy, "reports.learners", task, "No learner has been asked about it.", *COMMANDS
    )
    if found is None:
        return
    if not found["is_current"].all():
        st.warning("More has been answered since: run `charthouse evaluate`, then publish.")
    sections: dict[str, Callable[[], None]] = {
        "Beside the best arm": lambda: _beside(copy, found),
        "Refusals and errors": lambda: _refusals(copy, found),
        "Controls": lambda: _controls(found),
        "Comparisons": lambda: _comparisons(copy, task),
        "Subgroups and fairness": lambda: _subgroups(copy, task),
        "What moves P(yes)": lambda: _contributions(copy, task),
    }
    for tab, shown in zip(st.tabs(list(sections), key="section", bind="query-params"),
                          sections.values(), strict=True):  # fmt: skip
        if tab.open:
            with tab:
                shown()


def _beside(copy: Copy, found: pd.DataFrame) -> None:
    figure = parts.choose("Figure", list(FIGURES), FIGURES, key="figure")
    full = found[found["condition"] == FULL]
    if full.empty:
        parts.empty("No learner has been asked with everything shown.", *COMMANDS)
        return
    charts.show(
        beside_best_arm(full, _best_arm(copy, full), [figure]),
        f"{FIGURES[figure]} of each learner, with intervals.",
    )
    seen = parts.as_written(_seen(full["best_arm_saw_mimic"]))
    st.caption(
        "The arm is shown on all test stays. On the same stays as a learner: see *Comparisons*."
        f" Was it trained on MIMIC before? {seen}"
    )
    parts.table(
        copy, pd.DataFrame(
            {
                "learner": full["technique"].fillna(full["learner"]),
                "stays": full["n"],
                "positive": full["n_positive"],
                "saw MIMIC": full["saw_mimic"],
                "who says so": full["saw_mimic_source"],
                **{words: full[name] for name, words in FIGURES.items()},
                **_majority(full),
                "why no interval": full["auroc_reason"].fillna(full["accuracy_as_wrong_reason"]),
                "model": full["resolved_model"].fillna(full["model"]),
                "revision": full["revision"],
                "dtype": full["dtype"],
                "prompt": full["prompt"] + " " + full["prompt_version"],
                "asked at": full["endpoint"],
            }
        ), "learners",
    )  # fmt: skip


def _seen(of_arm: pd.Series) -> str:
    known = of_arm.dropna()
    return f"{known.iloc[0].capitalize()}." if len(known) else "There is no arm."


def _majority(found: pd.DataFrame) -> dict[str, pd.Series]:
    """What the accuracies stand beside, on the same stays."""
    return {
        f"{parts.MAJORITY}{COUNTED[counting]}": found[f"majority_accuracy_{counting}"].round(4)
        for counting in ("answered", "as_wrong")
    }


def _best_arm(copy: Copy, full: pd.DataFrame) -> pd.DataFrame:
    run_id = full["best_arm_run_id"].dropna()
    return frame(
        copy,
        "select * from reports.leaderboard where run_id = ? and population = 'all'",
        run_id.iloc[0] if len(run_id) else None,
    )


def _refusals(copy: Copy, found: pd.DataFrame) -> None:
    st.markdown(
        "A refusal is an answer that is neither yes nor no. An error is no answer: it is asked"
        " again by the next run, and never scored."
    )
    parts.table(
        copy, pd.DataFrame(
            {
                "learner": found["technique"].fillna(found["learner"]),
                "shown": found["condition"],
                "asked": found["n_asked"],
                "yes or no": found["n_answered"],
                "refused": found["n_refused"],
                "errors": found["n_errors"],
                "share answered yes or no": found["share_answered"],
                "accuracy, refusals left out": found["accuracy_answered"],
                "accuracy, each refusal as wrong": found["accuracy_as_wrong"],
                **_majority(found),
            }
        ), "refusals",
    )  # fmt: skip


def _controls(found: pd.DataFrame) -> None:
    st.markdown(
        "Does a learner use the picture? Controls are asked of the stays that have one; *full* of"
        " all: whether they differ on the same stays is under *Comparisons*."
    )
    figure = parts.choose("Figure", list(FIGURES), FIGURES, key="control")
    found = found[found["condition"].isin([FULL, *CONTROLS])]
    names = [name for name in (FULL, *CONTROLS) if name in set(found["condition"])]
    rows = estimates(found, figure).assign(series=found["condition"])
    panel = Panel("", style.limits_of(numbers_of(rows)), axis=FIGURES[figure])
    charts.show(
        whiskers(rows, [panel], style.series_of(names)),
        f"{FIGURES[figure]} of each learner under each condition.",
    )


def _comparisons(copy: Copy, task: str) -> None:
    table = "reports.learner_comparisons"
    found = _found(copy, table, task)
    if found is None:
        return
    metric = parts.choose("Metric", sorted(set(found["metric"])), key="compared")
    seen = parts.choose_seen()
    shown = found[
        (found["metric"] == metric)
        & found["saw_mimic"].isin(seen)
        & found["other_saw_mimic"].isin(seen)
    ]
    if shown.empty:
        parts.empty("No comparison is left by these filters.")
        return
    parts.role(metric)
    drawn = shown.assign(
        label=[_pair(row) for _, row in shown.iterrows()], group=shown["question"].map(QUESTIONS)
    ).dropna(subset=["group"])
    drawn = drawn.sort_values("question", key=lambda names: names.map(list(QUESTIONS).index))
    charts.show(
        comparisons(drawn.assign(population=""), metric, {"": ""}),
        f"Differences of {parts.worded(metric)}, question by question.",
    )
    parts.table(copy, shown[_interesting(shown)], "learner-comparisons")


def _pair(row: pd.Series) -> str:
    """What is subtracted on the second line."""
    if isinstance(row["other_arm"], str):
        return f"{row['learner']}\n{MINUS} {row['other_arm']}"
    if row["question"] == "uses_the_picture":
        return f"{row['learner']}\n{row['condition']} {MINUS} {row['other_condition']}"
    return f"{row['learner']}\n{MINUS} {row['other_learner']}"


def _interesting(found: pd.DataFrame) -> list[str]:
    """Columns that say something, less what the page says at its top."""
    told = {"task", "cohort_hash", "protocol", "is_synthetic", "fingerprint", "other_fingerprint",
            "answers_hash"}  # fmt: skip
    return [name for name in found.columns if name not in told and found[name].notna().any()]


def _subgroups(copy: Copy, task: str) -> None:
    table = "reports.learner_subgroups"
    if _found(copy, table, task) is None:
        return
    found = groups_of(copy, table, task)
    attributes = drawn_attributes(found, table)
    found = found[found["attribute"].isin(attributes)]
    if found.empty:
        return
    kinds = [f"{parts.worded(row.metric)}{COUNTED[row.counting]}" for row in found.itertuples()]
    found = found.assign(kind=kinds)
    kind = parts.choose("Metric", sorted(set(kinds)), {name: name for name in kinds}, key="kind")
    shown = found[found["kind"] == kind]
    series = style.series_of(sorted(set(shown["learner"])))
    figure = subgroups(shown.assign(series=shown["learner"]), kind, series, reference=None)
    charts.show(figure, f"{kind} by group.")
    fairness = _found(copy, "reports.learner_fairness", task)
    if fairness is not None:
        shown = fairness[fairness["attribute"].isin(attributes)]
        st.markdown("**How far apart the groups are**")
        parts.table(copy, shown[_interesting(shown)], "learner-fairness")


def _contributions(copy: Copy, task: str) -> None:
    found = _found(copy, "reports.learner_contributions", task)
    if found is None:
        return
    known = found[found["metric"] == "share"]
    bars = pd.DataFrame(
        {"label": known["learner"], "modality": known["modality"], "share": known["value"],
         "stays": known["n"]}
    )  # fmt: skip
    colours = style.group_colours(set(known["modality"]), modalities(copy))
    figure = shares(
        bars.dropna(subset=["share"]), colours, {"": ""},
        axis="share of what moves P(yes), by Shapley values",
    )  # fmt: skip
    charts.show(figure, "Shares of the modalities by learner.")
    parts.table(copy, found[_interesting(found)], "learner-contributions")


def _found(copy: Copy, table: str, task: str) -> pd.DataFrame | None:
    """Rows of a task; says so where there are none."""
    shapley = "charthouse ask --learner llava_1_5_7b --shapley 200"
    asked = (shapley, *COMMANDS[1:]) if "contributions" in table else COMMANDS
    return parts.rows_of(
        copy,
        table,
        task,
        f"{table} has nothing for {{task}} on this cohort.",
        *asked,
    )

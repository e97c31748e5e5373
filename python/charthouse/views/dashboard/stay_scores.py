"""Of one stay: the score of each arm, what moved it, and what learners answered."""

import pandas as pd
import streamlit as st

from charthouse.core.errors import CharthouseError
from charthouse.core.project import project_dir
from charthouse.jobs.evaluate.explain import Explained, explain
from charthouse.views.dashboard import charts, parts
from charthouse.views.dashboard.data import Copy, frame
from charthouse.views.figures import style
from charthouse.views.figures.leaderboard import labels
from charthouse.views.figures.moved import by_attribute, moved
from charthouse.views.figures.rows import Panel, whiskers

TOP, MOST = 8, 50
"""Attributes of a modality, and features, that are shown."""


def show_scores(copy: Copy, task: str, stay_id: int) -> None:
    """The part of the page below the stay's data."""
    found = frame(
        copy,
        "select arms.arm, arms.fusion, predictions.y_true, predictions.y_score,"
        " predictions.out_of_fold, predictions.run_id"
        " from results.predictions as predictions inner join reports.arms as arms"
        " on predictions.run_id = arms.run_id where predictions.stay_id = ? and arms.task = ?"
        " order by arms.validation_auroc desc nulls last, arms.arm, arms.fusion",
        stay_id,
        task,
    )
    if found.empty:
        parts.empty(
            f"No arm has scored this stay for {parts.as_written(task)} on this cohort.",
            "charthouse predict", "charthouse publish",
        )  # fmt: skip
        return
    outcome = "positive" if found["y_true"][0] else "negative"
    parts.text(f": the outcome is {outcome}.", bold=parts.worded(task))
    _scores(found)
    _answers(copy, task, stay_id)
    names = dict(zip(found["run_id"], labels(found), strict=True))
    arm = parts.choose("Taken apart", list(names), names, key="taken_apart")
    _taken_apart(copy, task, stay_id, found[found["run_id"] == arm].iloc[0])


def _scores(found: pd.DataFrame) -> None:
    score = found["y_score"].astype(float)  # known without an interval: both its ends
    long = pd.DataFrame({"label": labels(found), "value": score, "low": score, "high": score,
                         "run_id": found["run_id"]})  # fmt: skip
    st.caption("The score of each current arm, the best on validation first")
    panel = Panel("", (0, 1), axis="probability of the outcome")
    charts.draw(
        whiskers(long, [panel], {"score": (style.BLUE, "circle")}),
        "The score of each arm.",
    )
    if found["out_of_fold"].any():
        st.caption("Out of fold: of models that were not fitted on this patient.")


def _answers(copy: Copy, task: str, stay_id: int) -> None:
    if copy.lacks("results.current_answers"):
        return
    found = frame(
        copy,
        "select learner, condition, parsed as answer, p_yes, status, image_note, run_id"
        " from results.current_answers"
        " where task = ? and stay_id = ? order by learner, condition",
        task,
        stay_id,
    )
    if len(found):
        st.caption("What multimodal learners answered")
        parts.table(copy, found, f"answers-{stay_id}")


def _taken_apart(copy: Copy, task: str, stay_id: int, row: pd.Series) -> None:
    inputs = frame(
        copy,
        "select inputs.encoder, runs.run_id as made_by, runs.revision, runs.fingerprint as weights"
        " from results.run_inputs as inputs left join results.runs as runs"
        " on inputs.input_run_id = runs.run_id where inputs.run_id = ? order by 1, 2",
        row["run_id"],
    )
    parts.text(
        f", by run {row['run_id']}, from the vectors of:", bold=f"Score {row['y_score']:.4f}"
    )
    parts.table(copy, inputs, f"vectors-{stay_id}")
    if not copy.has_embeddings:
        st.caption(
            "What moved it: the vectors are not in this copy. `charthouse publish --embeddings`"
            " puts them there."
        )
        return
    try:
        found = _explained(
            str(copy.path), copy.mtime_ns, stay_id, task, row["arm"], row["fusion"], copy
        )
    except CharthouseError as error:
        parts.text(str(error), small=True)
        return
    _contributions(copy, found, f"contributions-{stay_id}")


@st.cache_data(max_entries=100, show_spinner="Taking the score apart")
def _explained(
    path: str, mtime_ns: int, stay_id: int, task: str, arm: str, fusion: str, _copy: Copy
) -> Explained:
    return explain(project_dir(), _copy.path, stay_id, task, arm, fusion)


def _contributions(copy: Copy, found: Explained, name: str) -> None:
    st.caption(
        f"What moved it, in log odds, from {found.at_mean:+.2f} at the mean of all features: each"
        " attribute with all its numbers, an encoder whose numbers have no names as one."
    )
    attributes = by_attribute(found.features, TOP)
    charts.show(moved(attributes), "What moved the score, attribute by attribute.")
    features = pd.DataFrame(found.features, columns=["Modality", "Feature", "Value", "Log odds"])
    parts.table(copy, features.head(MOST), name, title=f"The {MOST} features that moved it most")

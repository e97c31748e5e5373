"""One stay: what was measured and shown, and where its prediction came from."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import streamlit as st

from charthouse.core.errors import CharthouseError
from charthouse.data.xray_files import (
    ROOT,
    Unreadable,
    files_below,
    picture_check,
    read_grayscale,
)
from charthouse.views.dashboard import charts, parts
from charthouse.views.dashboard.data import Copy, Site, frame, tasks
from charthouse.views.dashboard.stay_scores import show_scores
from charthouse.views.figures import style
from charthouse.views.figures.vitals import KEYS, vitals

PANELS = {
    "Heart rate, bpm": ("heart_rate",),
    "Respiratory rate, breaths a minute": ("respiratory_rate",),
    "Oxygen saturation, %": ("spo2",),
    "Temperature, °F": ("temperature",),
    "Non-invasive pressure, mmHg": ("nbp_systolic", "nbp_mean", "nbp_diastolic"),
    "Arterial pressure, mmHg": ("abp_systolic", "abp_mean", "abp_diastolic"),
    "Glasgow coma scale, points": ("gcs_eye", "gcs_verbal", "gcs_motor"),
}
COLOURS = (style.BLUE, style.GREEN, style.PURPLE)
LISTED = 500
"""Stays in the list: a browser bears no more; any other is named by its number."""
PICTURES = 4
ORDERS = {
    "highest": "highest score first",
    "negatives": "highest-scored negatives",
    "positives": "lowest-scored positives",
    "number": "by number",
}


def show(site: Site, copy: Copy) -> None:
    """The page; hidden for real patients unless asked for."""
    parts.head(
        site, copy, "One stay",
        "Vital signs of the window, X-rays and reports, and where the prediction came from.",
    )  # fmt: skip
    if not (copy.is_synthetic or site.show_stays):
        parts.empty(
            f"Single stays are hidden: these are {copy.data_kind} data. If all who can reach this"
            " page may see them, start it so:",
            "charthouse dashboard --show-stays",
        )
        return
    task = parts.choose_task(tasks(copy))
    stay_id = _choose(copy, task)
    if stay_id is None:
        return
    _facts(copy, stay_id)
    st.subheader("Vital signs", anchor=False)
    _vitals(copy, stay_id)
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("X-rays in the window", anchor=False)
        _pictures(copy, stay_id)
    with right:
        st.subheader("Radiology reports in the window", anchor=False)
        _reports(copy, stay_id)
    st.subheader("Where its prediction came from", anchor=False)
    show_scores(copy, task, stay_id)


def _choose(copy: Copy, task: str) -> int | None:
    left, middle, right = st.columns([2, 3, 2])
    with left:
        order = parts.choose_long("Order", list(ORDERS), ORDERS, key="order")
    best = frame(
        copy,
        "select run_id, arm from reports.arms where task = ?"
        " order by validation_auroc desc nulls last, arm, fusion limit 1",
        task,
    )
    found = frame(
        copy,
        "select cohort.stay_id, labels.label, scores.y_score from marts.cohort as cohort"
        " inner join marts.labels as labels on labels.stay_id = cohort.stay_id and labels.task = $1"
        " left join results.predictions as scores"
        " on scores.stay_id = cohort.stay_id and scores.run_id = $3 where cohort.split = 'test'"
        " and (labels.label = 0 or $2 != 'negatives') and (labels.label = 1 or $2 != 'positives')"
        " order by case $2 when 'number' then cohort.stay_id when 'positives' then scores.y_score"
        " else -scores.y_score end nulls last, cohort.stay_id"
        f" limit {LISTED}",
        task,
        order,
        best["run_id"][0] if len(best) else None,
    )
    if found.empty:
        parts.empty("The test split has no such stay.")
        return None
    words = {
        row.stay_id: f"{row.stay_id} · {'positive' if row.label else 'negative'}"
        + ("" if pd.isna(row.y_score) else f" · score {row.y_score:.3f}")
        for row in found.itertuples()
    }
    with middle:
        chosen: int | None = st.selectbox(
            "Stay of the test split", list(words), format_func=lambda stay_id: words[stay_id]
        )
        if len(best):
            parts.text(f"Scores of {best['arm'][0]}, the best on validation", small=True)
    with right:
        named = st.text_input("Or any stay, by its number", placeholder="stay_id")
    if not named.strip():
        return chosen
    # as text: it may be longer than any number of DuckDB's
    found = frame(
        copy, "select stay_id from marts.cohort where cast(stay_id as varchar) = ?", named.strip()
    )
    if found.empty:
        parts.empty(f"The cohort has no stay {parts.as_written(named.strip())}.")
        return None
    return int(found["stay_id"][0])


def _facts(copy: Copy, stay_id: int) -> None:
    row = frame(copy, "select * from marts.cohort where stay_id = ?", stay_id).iloc[0]
    labels = frame(copy, "select task, label from marts.labels where stay_id = ? order by task",
                   stay_id)  # fmt: skip
    told = {
        "Age, gender": f"{row['age']}, {row['gender']}",
        "Race group": row["race_group"].capitalize(),
        "ICU stay": f"{row['los_days']:.1f} days",
        "Split": row["split"],
        **{parts.worded(name): "yes" if label else "no"
           for name, label in labels.itertuples(index=False)},
    }  # fmt: skip
    unit = "unit unknown" if pd.isna(row["first_careunit"]) else row["first_careunit"]
    parts.text(f"{unit}; the outcomes are what is predicted.", small=True)
    charts.facts(told)


def _vitals(copy: Copy, stay_id: int) -> None:
    events = frame(
        copy, "select variable, hours, value from marts.vitals_events where stay_id = ?", stay_id
    )
    grid = frame(
        copy,
        "select variable, hour, value, measured from marts.vitals_hourly where stay_id = ?",
        stay_id,
    )
    outliers = frame(
        copy,
        "select variable, hours, value, fate from marts.vitals_outliers where stay_id = ?",
        stay_id,
    )
    charts.legend(KEYS)
    ends = grid["hour"].min(), grid["hour"].max() + 1
    columns = st.columns(2, gap="medium")
    for at, (title, variables) in enumerate(PANELS.items()):
        with columns[at % 2]:
            colours = dict(zip(variables, COLOURS, strict=False))
            measured, read, odd = (
                found[found["variable"].isin(variables)] for found in (events, grid, outliers)
            )
            if measured.empty and odd.empty:
                charts.legend({}, title)
                st.caption("Nothing was measured.")
                continue
            charts.show(
                vitals(measured, read, odd, colours, ends),
                f"{', '.join(colours)}: {len(measured)} measurements, {len(odd)} outliers.",
                title=title,
            )


def _pictures(copy: Copy, stay_id: int) -> None:
    found = frame(
        copy,
        "select hours, view_position, dicom_id, path from marts.chest_xrays where stay_id = ?"
        " order by hours desc, dicom_id",
        stay_id,
    )
    if found.empty:
        st.caption("None.")
        return
    try:
        place = files_below(ROOT)
    except CharthouseError as why:
        place = None
        parts.text(str(why), small=True)
    check = picture_check(copy.data_kind)
    columns = st.columns(2)
    for at, row in enumerate(found.head(PICTURES).itertuples()):
        view = "view unknown" if pd.isna(row.view_position) else row.view_position
        words = f"{row.hours:.1f} h, {view}, {row.dicom_id}"
        with columns[at % 2]:
            why_not = _show(place(row.path), check, words) if place else ""
            parts.text(words + why_not, small=True)
    if len(found) > PICTURES:
        st.caption(f"and {len(found) - PICTURES} earlier")


def _show(path: Path | None, check: Callable[[Path | None], None], words: str) -> str:
    """Shows a picture; returns why it does not, or nothing."""
    try:
        check(path)
        picture = read_grayscale(path)
    except (CharthouseError, Unreadable) as why:
        return f": {why}"
    st.image(picture, width="stretch", alt=f"Chest X-ray at {words}")
    return ""


def _reports(copy: Copy, stay_id: int) -> None:
    found = frame(
        copy,
        "select * exclude (stay_id) from marts.radiology_reports where stay_id = ?"
        " order by hours, note_id",
        stay_id,
    )
    if found.empty:
        st.caption("None.")
    elif not copy.has_text:
        st.caption(
            f"{len(found)}, at {', '.join(f'{hours:.1f} h' for hours in found['hours'])}. Their"
            " text was not published: charthouse publish --with-text keeps it."
        )
    else:
        for row in found.itertuples():
            with st.expander(f"{row.hours:.1f} h, {parts.as_written(row.note_id)}"):
                st.text(row.text)

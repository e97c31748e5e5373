"""One stay: what was measured and shown, and where its prediction came from."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
from charthouse.views.dashboard.data import Copy, Site, frame
from charthouse.views.dashboard.overview import OF_UNITS, choose_units
from charthouse.views.dashboard.stay_scores import show_scores
from charthouse.views.dashboard.stay_tables import show_codes, show_ecgs, show_other_series
from charthouse.views.figures import style
from charthouse.views.figures.vitals import KEYS, vitals
from charthouse.views.figures.words import short_arm

COLOURS = (style.BLUE, style.GREEN, style.PURPLE)
LISTED = 500
"""Stays in the list: a browser bears no more; any other is named by its number."""
PICTURES = 4
ORDERS = {
    "highest": "Highest score first",
    "negatives": "Highest-scored negatives",
    "positives": "Lowest-scored positives",
    "number": "By number",
}


@parts.page(
    "stay", "One stay",
    "What was measured, seen and written in the window, and where the prediction came from.",
)  # fmt: skip
def page(site: Site, copy: Copy) -> None:
    """Hidden for real patients unless asked for."""
    if not (copy.is_synthetic or site.show_stays):
        parts.empty(
            f"Single stays are hidden: these are {copy.data_kind} data. If all who can reach this"
            " page may see them, start it so:",
            "charthouse dashboard --show-stays",
        )
        return
    task, row = parts.choose_task(copy)
    with row:
        units = choose_units(copy)
        order = parts.choose("Order", list(ORDERS), ORDERS, key="order")
    stay_id = _choose(copy, task, order, units)
    if stay_id is None:
        return
    _facts(copy, stay_id)
    st.subheader("Vital signs", anchor=False)
    _vitals(copy, stay_id)
    show_other_series(copy, stay_id)
    show_codes(copy, stay_id)
    show_ecgs(copy, stay_id)
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("X-rays in the window", anchor=False)
        _pictures(copy, stay_id)
    with right:
        st.subheader("Radiology reports in the window", anchor=False)
        _reports(copy, stay_id)
    st.subheader("Where its prediction came from", anchor=False)
    show_scores(copy, task, stay_id)


def _choose(copy: Copy, task: str, order: str, units: list[str]) -> int | None:
    best = frame(
        copy,
        "select run_id, arm from reports.arms where task = ?"
        " order by validation_auroc desc nulls last, arm, fusion limit 1",
        task,
    )
    found = frame(
        copy,
        "select cohort.stay_id, labels.label, scores.y_score from marts.cohort as cohort"
        " inner join marts.labels as labels on labels.stay_id = cohort.stay_id and labels.task = $2"
        " left join results.predictions as scores"
        " on scores.stay_id = cohort.stay_id and scores.run_id = $4 where cohort.split = 'test'"
        f" and {OF_UNITS}"
        " and (labels.label = 0 or $3 != 'negatives') and (labels.label = 1 or $3 != 'positives')"
        " order by case $3 when 'number' then cohort.stay_id when 'positives' then scores.y_score"
        " else -scores.y_score end nulls last, cohort.stay_id"
        f" limit {LISTED}",
        units,
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
    row = st.container(horizontal=True)
    with row:
        chosen: int | None = st.selectbox(
            "Stay of the test split", list(words), format_func=lambda stay_id: words[stay_id]
        )
        named = st.text_input("Or any stay, by its number", placeholder="stay_id")
    if len(best):
        arm = short_arm(best["arm"][0])
        parts.text(f"Scores of {arm}, the best on validation.", small=True)
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
        "Split": row["split"].capitalize(),
        **{parts.worded(name): "Yes" if label else "No"
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
    panels = _panels(copy)
    for place, (title, variables) in zip(_places(len(panels)), panels.items(), strict=False):
        with place:
            colours = dict(zip(variables, itertools.cycle(COLOURS), strict=False))
            measured, of_grid, odd = (
                found[found["variable"].isin(variables)] for found in (events, grid, outliers)
            )
            charts.show(
                vitals(measured, of_grid, odd, colours, ends),
                f"{', '.join(colours)}: {len(measured)} measurements, {len(odd)} outliers.",
                title=title if len(measured) else f"{title}: not measured",
            )


def _places(n: int) -> list[Any]:
    """Two a row, so that they are read from left to right and neighbours begin at one height."""
    return [place for _ in range(0, n, 2) for place in st.columns(2, gap="medium")]


def _panels(copy: Copy) -> dict[str, list[str]]:
    """Title to variables: those of seeds.vital_signs, nbp_systolic and nbp_mean together."""
    found = frame(
        copy,
        "select variable, arg_min(label, rowid) as label, arg_min(unit, rowid) as unit"
        " from seeds.vital_signs group by variable order by min(rowid)",
    )
    found["stem"] = found["variable"].str.partition("_")[0] + found["unit"]
    panels = {}
    for _, of in found.groupby("stem", sort=False):
        words = zip(*of["label"].str.split(), strict=False) if len(of) > 1 else ()
        same = itertools.takewhile(lambda word: len(set(word)) == 1, words)
        shared = " ".join(word for word, *_ in same).rstrip(" -")
        shared = shared if shared.isupper() else shared.capitalize()
        name = shared or parts.worded(of["variable"].iloc[0])
        panels[f"{name}, {of['unit'].iloc[0]}"] = list(of["variable"])
    return panels


def _pictures(copy: Copy, stay_id: int) -> None:
    found = frame(
        copy,
        "select hours, view_position, dicom_id, path from marts.chest_xrays where stay_id = ?"
        " order by hours, dicom_id",
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
    if len(found) > PICTURES:
        st.caption(f"The last {PICTURES} of {len(found)}")
    places = zip(_places(PICTURES), found.tail(PICTURES).itertuples(), strict=False)
    for position, row in places:
        view = "view unknown" if pd.isna(row.view_position) else row.view_position
        words = f"{row.hours:.1f} h, {view}, {row.dicom_id}"
        with position:
            why_not = _show(place(row.path), check, words) if place else ""
            parts.text(words + why_not, small=True)


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

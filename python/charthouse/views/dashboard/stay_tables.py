"""What one stay has beside vital signs, as tables: other time series, earlier diagnoses, ECGs."""

from typing import Any

import pandas as pd
import streamlit as st

from charthouse.views.dashboard import parts
from charthouse.views.dashboard.data import Copy, frame

NAMES = "marts.time_series_variables"
COURSE: dict[str, Any] = {
    "Course": st.column_config.LineChartColumn(width="small"),
    **{name: st.column_config.NumberColumn(format="%.4g")
       for name in ("Lowest", "Highest", "At the end", "Last")},
    "Last hour": st.column_config.NumberColumn(format="%.1f"),
}  # fmt: skip
"""How the columns of measured variables are shown."""


def show_other_series(copy: Copy, stay_id: int) -> None:
    """The other time series, such as laboratory values: a row for each variable."""
    for each in _modalities(
        copy, "kind = 'time_series' and modality != 'vitals' and grid not null"
    ):
        if copy.lacks(NAMES, f"marts.{each.mart}", f"marts.{each.grid}"):
            continue
        found = frame(
            copy,
            "with measured as (select variable, count(*) as"
            " values, min(value) as lowest, max(value) as highest, max(hours) as last_hour,"
            " list(value order by hours, value) as course"
            f" from marts.{each.mart} where stay_id = $1 group by variable), read as (select"
            f" variable, arg_max(value, hour) as at_the_end from marts.{each.grid} where stay_id ="
            " $1 group by variable) select label, unit, coalesce(values, 0) as values, lowest,"
            f" highest, last_hour, course, at_the_end from {NAMES} left join measured using"
            " (variable) left join read using (variable) where modality = $2"
            " order by values = 0, lower(label)",
            stay_id,
            each.modality,
        )
        n = int((found["values"] > 0).sum())
        _head(each.item, f"{n} of {len(found)} in the window.")
        parts.table(copy, found, f"stay-{stay_id}-{each.mart}", columns=COURSE)


def show_codes(copy: Copy, stay_id: int) -> None:
    """Diagnoses of earlier admissions: a row for each code, the last admission first."""
    for each in _modalities(copy, "kind = 'codes'"):
        if copy.lacks(f"marts.{each.mart}"):
            continue
        found = frame(
            copy,
            "select round(-hours / 24) as days_before, printf('ICD-%d %s', icd_version, icd_code)"
            " as code, long_title as title, replace(charlson_groups, '_', ' ')"
            f" as charlson_groups from marts.{each.mart} where stay_id = ?"
            " order by hours desc, hadm_id, seq_num",
            stay_id,
        )
        _head(each.item, f"{len(found)}, the last admission first." if len(found) else "None.")
        if len(found):
            days = {"Days before": st.column_config.NumberColumn(format="%d")}
            parts.table(copy, found, f"stay-{stay_id}-{each.mart}", columns=days)


def show_ecgs(copy: Copy, stay_id: int) -> None:
    """What the carts measured: a row for each interval and axis."""
    for each in _modalities(copy, "kind = 'waveform' and seed not null"):
        if copy.lacks(f"marts.{each.mart}", f"seeds.{each.seed}"):
            continue
        (names,) = frame(copy, f"select list(variable) as names from seeds.{each.seed}")["names"]
        columns = ", ".join(f'"{name}"' for name in names)
        found = frame(
            copy,
            f"with measured as (unpivot (select hours, {columns} from marts.{each.mart} where"
            f" stay_id = ?) on {columns} into name variable value value) select label, unit,"
            " count(value) as values, min(value) as lowest, max(value) as highest,"
            " max(hours) as last_hour, list(value order by hours) as course, arg_max(value, hours)"
            f" as last from seeds.{each.seed} inner join measured using (variable)"
            " group by label, unit order by lower(label)",
            stay_id,
        )
        hours = frame(
            copy, f"select hours from marts.{each.mart} where stay_id = ? order by hours", stay_id
        )["hours"]
        at = ", ".join(f"{hour:.1f} h" for hour in hours)
        _head(each.item, f"{len(hours)} in the window, at {at}." if at else "None in the window.")
        if len(found):
            parts.table(copy, found, f"stay-{stay_id}-{each.mart}", columns=COURSE)


def _modalities(copy: Copy, which: str) -> list[Any]:
    """Rows of marts.modalities, in their order."""
    rows: pd.DataFrame = frame(copy, f"from marts.modalities where {which} order by position")
    return list(rows.itertuples())


def _head(item: str, said: str) -> None:
    """The heading of a modality's items, and how many there are."""
    plural = f"{item[:-2]}es" if item.endswith("is") else f"{item}s"
    st.subheader(plural[0].upper() + plural[1:], anchor=False)
    parts.text(said, small=True)

"""What pages have in common: the head with its banner, text as it is written, filters, tables."""

import re
from collections.abc import Collection, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from charthouse.core.data_kind import headline
from charthouse.jobs.evaluate.comparisons import PRIMARY
from charthouse.jobs.evaluate.other_cohorts import EVALUATED_COHORTS, other_evaluated
from charthouse.views.dashboard.data import Copy, Site, frame
from charthouse.views.figures.style import POPULATIONS, SOFT, WARNING
from charthouse.views.figures.words import METRICS, worded

SEEN = {"no": "no", "unknown": "unknown", "yes": "yes"}
"""Whether a model was trained on MIMIC before, so perhaps on test stays; the cleanest first."""
ROLES = {True: "primary", False: "exploratory"}

MAJORITY = "Accuracy of the larger class"
"""What always saying the outcome of most stays gets; it stands beside every accuracy."""

EVALUATED = ("charthouse predict", "charthouse evaluate", "charthouse publish")
"""Commands after which there is something to show of arms."""

_BANNER = (
    '<div role="alert" style="background:{colour};color:white;font-weight:600;padding:0.35rem'
    ' 0.9rem;border-radius:0.3rem">{words}</div>'
)


# What is no Markdown, nor an emoji, a colour or an arrow of Streamlit's.
_PLAIN = re.compile(
    r"(?!\d+[.)](?: |$))[^\W_](?:"
    r"[^\W_]|(?<=\w)_(?=\w)|[ (),/%;!?'\u00b7\u2212]|(?<! )-(?=\w)|(?<=\d)\.(?=\d)|[.:](?= |$)"
    r")*"
)


def as_written(text: object) -> str:
    """What comes from data, for where Streamlit reads Markdown: it shows just these letters.

    Between backticks nothing has a meaning; what has none anyway goes without.
    """
    words = re.sub(r"\s", " ", str(text))
    if not words.strip() or _PLAIN.fullmatch(words):
        return words
    fence = "`" * (max(map(len, re.findall("`+", words)), default=0) + 1)
    edge = " " if words.startswith("`") or words.endswith("`") else ""
    return f"{fence}{edge}{words}{edge}{fence}"


def text(words: str = "", *, bold: str = "", small: bool = False) -> None:
    """A line with what comes from data in it, as it is written; `bold` stands before it."""
    look = "font-size:0.875rem;opacity:0.7" if small else "line-height:1.6"
    first = f"<b>{escape(bold)}</b>" if bold else ""
    st.html(f'<div style="overflow-wrap:anywhere;{look}">{first}{escape(words)}</div>')


def head(site: Site, copy: Copy, title: str, words: str) -> None:
    """Title, what the page shows, what kind of data it is, and how old the copy is."""
    if banner := headline(copy.data_kind, copy.data_source):
        colour = WARNING if copy.is_synthetic else SOFT
        st.html(_BANNER.format(colour=colour, words=escape(banner)))
    st.title(title, anchor=False)
    st.markdown(words)
    text(
        f"Cohort {copy.cohort_hash[:12]}, protocol {copy.protocol}. Published"
        f" {copy.published_at:%d %B %Y, %H:%M} UTC.",
        small=True,
    )
    if copy.is_older_than(site.warehouse):
        st.info(
            "The warehouse has been written to since. Run `charthouse publish` to see it here.",
            icon=":material/update:",
        )
    if not copy.lacks("reports.leaderboard", "results.runs") and (
        why := _evaluated_elsewhere(copy)
    ):
        st.info(as_written(why), icon=":material/history:")


def _evaluated_elsewhere(copy: Copy) -> str | None:
    """What has been evaluated, where pages of results have nothing to show."""
    if len(frame(copy, "select 1 from reports.leaderboard where run_id is not null limit 1")):
        return None
    found = frame(copy, EVALUATED_COHORTS)
    return other_evaluated(list(found.itertuples(index=False)), copy.cohort_hash)


def empty(words: str, *commands: str) -> None:
    """Nothing to show: why, in Markdown, and the commands that mend it, in their order."""
    st.info(words, icon=":material/inbox:")
    if commands:
        st.code("\n".join(commands), language="sh")


def has_tables(copy: Copy, *tables: str) -> bool:
    """Whether the copy has them; says what to do if not."""
    missing = copy.lacks(*tables)
    if missing:
        empty(
            f"The published copy has no {', '.join(missing)}: the warehouse is of an older clone.",
            "charthouse build",
            "charthouse publish",
        )
    return not missing


def rows_of(copy: Copy, table: str, task: str, nothing: str, *commands: str) -> pd.DataFrame | None:
    """Rows of a table that are of a task; None: says that there is `nothing`, and what mends it.

    `nothing` is Markdown, in which {task} stands for the task.
    """
    if not has_tables(copy, table):
        return None
    found = frame(copy, f"select * from {table} where task = ? order by all", task)
    if found.empty:
        empty(nothing.format(task=as_written(task)), *commands)
        return None
    return found


def choose(
    label: str, options: Sequence[str], names: Mapping[str, str] | None = None, *, key: str
) -> str:
    """One of a few, all of them in sight, kept in the page's address; first: the first."""
    picked: str | None = st.segmented_control(
        label, options, default=options[0], required=True, key=key, bind="query-params",
        format_func=lambda name: as_written(worded(name, names)), wrap=True,
    )  # fmt: skip
    return picked or options[0]


def choose_long(
    label: str, options: Sequence[str], names: Mapping[str, str] | None = None, *, key: str
) -> str:
    """One of many, likewise."""
    picked: str | None = st.selectbox(
        label, options, key=key, bind="query-params",
        format_func=lambda name: worded(name, names),
    )  # fmt: skip
    return picked or options[0]


def choose_some(
    label: str, options: Collection[str], names: Mapping[str, str] | None = None, *, key: str
) -> list[str]:
    """Several of a few; none means all."""
    picked: list[str] = st.multiselect(
        label, options, key=key, bind="query-params", placeholder="All",
        format_func=lambda name: worded(name, names),
    )  # fmt: skip
    return picked or list(options)


def choose_task(tasks: Sequence[str]) -> str:
    """A task."""
    return choose("Task", tasks, key="task")


def choose_population() -> str:
    """All stays, those with every modality, or those of the years that MIMIC-CXR covers."""
    return choose("Stays", list(POPULATIONS), POPULATIONS, key="stays")


def choose_seen() -> list[str]:
    """Whether models were trained on MIMIC: any of no, unknown and yes."""
    return choose_some("Saw MIMIC", SEEN, SEEN, key="saw_mimic")


def role(metric: str) -> None:
    """What a comparison of the metric may be used for."""
    if metric != PRIMARY:
        st.info(
            "Exploratory: p-values of this metric are not corrected, and settle nothing. Claims"
            f" rest on {METRICS[PRIMARY]}, the primary metric."
        )


def interval(row: Mapping[str, Any], value: str, low: str, high: str, form: str = ".4f") -> str:
    """Of a row's columns, as tables print it: 0.8544 [0.8453, 0.8631], or (no interval)."""
    if pd.isna(row[value]):
        return "\N{EN DASH}"
    if pd.isna(row[low]) or pd.isna(row[high]):
        return f"{row[value]:{form}} (no interval)"
    return f"{row[value]:{form}} [{row[low]:{form}}, {row[high]:{form}}]"


def table(found: pd.DataFrame) -> None:
    """A table as wide as the page, without row numbers and columns that say nothing."""
    words = found.select_dtypes(["object", "string"]).columns
    told = found.assign(**{name: [_said(cell) for cell in found[name]] for name in words})
    told = told.dropna(axis="columns", how="all")
    kept = [name for name in words if name in told]
    told = told.assign(**{name: told[name].fillna("\N{EN DASH}") for name in kept})
    st.dataframe(told, hide_index=True, width="stretch")


def _said(cell: Any) -> Any:
    """A list in words; None where a cell says nothing."""
    if isinstance(cell, list | tuple | np.ndarray):
        cell = ", ".join(map(str, cell))
    return None if cell == "" else cell

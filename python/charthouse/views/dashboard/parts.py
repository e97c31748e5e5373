"""What pages have in common: their frame, text as it is written, choices, charts' tables."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from charthouse.core.data_kind import headline
from charthouse.jobs.evaluate.comparisons import PRIMARY
from charthouse.jobs.evaluate.other_cohorts import EVALUATED_COHORTS, other_evaluated
from charthouse.jobs.evaluate.precision import FEW, how_sure
from charthouse.jobs.evaluate.scored import ALL
from charthouse.views.dashboard.data import Copy, Site, frame, read, tasks
from charthouse.views.figures.leaderboard import labels
from charthouse.views.figures.style import POPULATIONS, SOFT, WARNING, adaptive
from charthouse.views.figures.words import METRICS, short_arm, worded
from charthouse.views.report.read import read_counts

SEEN = {"no": "No", "unknown": "Unknown", "yes": "Yes"}
"""Whether a model was trained on MIMIC before, so perhaps on test stays; the cleanest first."""
ROLES = {True: "primary", False: "exploratory"}

MAJORITY = "Accuracy of the larger class"
"""What always saying the outcome of most stays gets; it stands beside every accuracy."""

_WIDEST = 480  # pixels of a column
_COLUMN = re.compile("[a-z_]+")  # of the warehouse
EVALUATED = ("charthouse embed", "charthouse predict", "charthouse evaluate", "charthouse publish")
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


def text(words: str = "", *, bold: str = "", small: bool = False, warns: bool = False) -> None:
    """A line with what comes from data in it, as it is written; `bold` stands before it."""
    look = "font-size:0.875rem;opacity:0.75" if small else "line-height:1.6"
    look += f";color:{adaptive(WARNING)};font-weight:600" * warns
    first = f"<b>{escape(bold)}</b>" if bold else ""
    st.html(f'<div style="overflow-wrap:anywhere;{look}">{first}{escape(words)}</div>')


@dataclass(frozen=True)
class Page:
    """A page: its frame, and what shows the rest.

    It has no icon: for one Streamlit's client asks a server far away.

    Attributes:
        name: In the address.
        title: Above it.
        words: What it shows, in Markdown.
        needs: Tables without which there is nothing to show.
        content: Shows what stands below the frame.
    """

    name: str
    title: str
    words: str
    needs: tuple[str, ...]
    content: Callable[[Site, Copy], None]

    def show(self, site: Site, copy: Copy) -> None:
        """Title, what kind of data it is, how old the copy is, and the content."""
        head(site, copy, self.title, self.words)
        if has_tables(copy, *self.needs):
            self.content(site, copy)


def page(
    name: str, title: str, words: str, *needs: str
) -> Callable[[Callable[[Site, Copy], None]], Page]:
    """Makes what shows the content a page."""
    return lambda content: Page(name, title, words, needs, content)


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


def rows_of(
    copy: Copy, table: str, task: str, nothing: str = "", *commands: str
) -> pd.DataFrame | None:
    """Rows of a table that are of a task; None: says that there are none, and what mends it.

    Args:
        copy: Where the table is.
        table: Its name, with schema.
        task: Which rows.
        nothing: Why there may be none, in Markdown.
        commands: After which there are some; none: those that evaluate arms.
    """
    if not has_tables(copy, table):
        return None
    found = frame(copy, f"select * from {table} where task = ? order by all", task)
    if found.empty:
        not_evaluated(task, nothing, *commands)
        return None
    return found


def not_evaluated(task: str, why: str = "", *commands: str) -> None:
    """There is nothing for a task; why, in Markdown, and what mends it."""
    nothing = f"Nothing has been evaluated for {as_written(task)} on this cohort."
    empty(f"{nothing} {why}", *(commands or EVALUATED))


def choose(
    label: str, options: Sequence[str], names: Mapping[str, str] | None = None, *, key: str
) -> str:
    """One of some, kept in the page's address; first: the first."""
    picked: str | None = st.selectbox(
        label, options, key=key, bind="query-params",
        format_func=lambda name: short_arm(worded(name, names)),
    )  # fmt: skip
    return picked or options[0]


def choose_some(
    label: str, options: Collection[str], names: Mapping[str, str] | None = None, *, key: str
) -> list[str]:
    """Several of a few; none means all."""
    picked: list[str] = st.multiselect(
        label, options, key=key, bind="query-params", placeholder="All",
        format_func=lambda name: short_arm(worded(name, names)),
    )  # fmt: skip
    return picked or list(options)


def choose_task(copy: Copy) -> tuple[str, AbstractContextManager[Any]]:
    """A task, and the row in which further choices stand; says how sure its metrics are."""
    sure, row = st.container(), st.container(horizontal=True, vertical_alignment="bottom")
    with row:
        task = choose("Task", tasks(copy), key="task")
    with sure:
        say_how_sure(copy, task)
    return task, row


def say_how_sure(copy: Copy, task: str) -> None:
    """How well AUROC is known, a warning where patients are too few."""
    counts = read(copy, read_counts, task)[ALL]
    widths = () if copy.lacks("reports.leaderboard") else frame(
        copy,
        "select auroc_high - auroc_low as width from reports.leaderboard where task = ?"
        f" and population = '{ALL}' and auroc_low is not null",
        task,
    )["width"]  # fmt: skip
    facts = {name: getattr(counts, name) for name in ("patients", "rarer", "n", "n_positive")}
    few = counts.rarer < FEW
    text(how_sure(list(widths), **facts), small=not few, warns=few)


def choose_population() -> str:
    """All stays, those with every modality, or those of the years that MIMIC-CXR covers."""
    names = {name: worded(words) for name, words in POPULATIONS.items()}
    return choose("Stays", list(POPULATIONS), names, key="stays")


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


def intervals(found: pd.DataFrame, of: str = "value", *, form: str = ".4f") -> list[str]:
    """A column with its interval, as tables print it: 0.8544 [0.8453, 0.8631], or (no interval).

    The ends are ci_low and ci_high; of a metric of reports.leaderboard the columns bear its name.
    """
    names = (of, "ci_low", "ci_high") if of in found and "ci_low" in found else [
        f"{of}_{part}" for part in ("value", "low", "high")
    ]  # fmt: skip
    said = []
    for value, low, high in zip(*(found[name] for name in names), strict=True):
        if pd.isna(value):
            said.append("\N{EN DASH}")
        elif pd.isna(low) or pd.isna(high):
            said.append(f"{value:{form}} (no interval)")
        else:
            said.append(f"{value:{form}} [{low:{form}}, {high:{form}}]")
    return said


def short(found: pd.DataFrame) -> list[str]:
    """Arms of rows by their encoders."""
    return [short_arm(label) for label in labels(found)]


def table(
    copy: Copy, found: pd.DataFrame, name: str, *, title: str = "",
    columns: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """A table as wide as the page, whole in every cell, with its download.

    Columns that say nothing, and row numbers, are left out.

    Args:
        copy: Whose kind of data and cohort stand in the file's name.
        found: What is shown.
        name: Of the file.
        title: Above it.
        columns: How some are shown, as st.dataframe has it; their cells stay as they are.
    """
    found = found.rename(columns={name: worded(name) for name in found if _COLUMN.fullmatch(name)})
    words = [
        name
        for name in found.select_dtypes(["object", "string"]).columns
        if name not in (columns or {})
    ]
    told = found.assign(**{name: [_said(cell) for cell in found[name]] for name in words})
    told = told.dropna(axis="columns", how="all")
    kept = [name for name in words if name in told]
    told = told.assign(**{name: told[name].fillna("\N{EN DASH}") for name in kept})
    if title:
        st.markdown(f"**{title}**")
    longest = {column: max(map(len, [column, *map(str, told[column])])) for column in kept}
    whole = {
        column: st.column_config.Column(
            width=min(n * 7 + 18, _WIDEST), pinned=column == told.columns[0]
        )
        for column, n in longest.items()
    }
    st.dataframe(told, hide_index=True, width="stretch", column_config={**whole, **(columns or {})})
    st.download_button(
        "Download this table", lambda: told.to_csv(index=False), mime="text/csv", on_click="ignore",
        key=f"download {name}", icon=":material/download:", type="tertiary",
        file_name=f"{copy.data_kind}-{copy.cohort_hash[:12]}-{copy.protocol}-{name}.csv",
    )  # fmt: skip


def _said(cell: Any) -> Any:
    """A list in words; None where a cell says nothing."""
    if isinstance(cell, list | tuple | np.ndarray):
        cell = ", ".join(map(str, cell))
    return None if cell == "" else cell

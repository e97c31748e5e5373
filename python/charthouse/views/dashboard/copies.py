"""Two published copies side by side: cohorts and protocols, and what arms score on each."""

import json

import pandas as pd
import streamlit as st

from charthouse.core.data_kind import headline
from charthouse.views.dashboard import charts, parts
from charthouse.views.dashboard.data import Copy, Site, frame, others_beside, read, tasks
from charthouse.views.figures.leaderboard import labels
from charthouse.views.figures.rows import Panel, numbers_of, whiskers
from charthouse.views.figures.style import POPULATIONS, limits_of, series_of
from charthouse.views.figures.words import short_arm, worded
from charthouse.views.report.page import DETAILS, HEADLINE
from charthouse.views.report.read import leaderboard_rows

ENDING = ".duckdb.published"


@parts.page(
    "copies", "Two copies",
    "This copy beside another: protocols, cohorts and arms. They are of other stays, so nothing is"
    " subtracted, and no test says which is better.",
    "reports.leaderboard",
)  # fmt: skip
def page(site: Site, copy: Copy) -> None:
    """What differs, then one metric of each arm on both."""
    others = others_beside(site, copy)
    if not others:
        parts.empty(
            f"No other published copy lies in {parts.as_written(site.folder.parent)}. Build with"
            " another protocol into another warehouse beside this one, and publish it:",
            "charthouse build", "charthouse publish",
        )  # fmt: skip
        return
    places, row = st.container(), st.container(horizontal=True)
    with row:
        names = {name: name.removesuffix(ENDING) for name in others}
        beside = parts.choose("Beside", list(others), names, key="beside")
    named = {site.folder.name: copy, beside: others[beside]}
    two = {f"{name.removesuffix(ENDING)} ({of.protocol})": of for name, of in named.items()}
    if not parts.has_tables(others[beside], "reports.leaderboard"):
        return
    known = [task for task in tasks(copy) if task in tasks(others[beside])]
    with st.container(horizontal=True):
        metric = parts.choose("Metric", (*HEADLINE, *DETAILS), key="metric")
        population = parts.choose_population()
    with row:
        task = parts.choose("Task", known, key="task")
    with places:
        for name, of in two.items():
            banner = headline(of.data_kind, of.data_source) or "Credentialed data."
            parts.text(f": {banner}", bold=name, small=True)
            parts.say_how_sure(of, task)
    _arms(copy, two, task, metric, population)
    st.subheader("What differs", anchor=False)
    facts = pd.DataFrame({name: _facts(of) for name, of in two.items()}).fillna("\N{EN DASH}")
    differs = facts.nunique(axis="columns") > 1
    shown = facts[differs].rename_axis("Of the two copies").reset_index()
    parts.table(copy, shown, f"differs-{beside}")


def _arms(copy: Copy, two: dict[str, Copy], task: str, metric: str, population: str) -> None:
    long = []
    for name, of in two.items():
        found = pd.DataFrame(read(of, leaderboard_rows, task))
        if found.empty:
            continue
        found = found[(found["population"] == population) & found["run_id"].notna()]
        ends = {f"{metric}_{part}": part for part in ("value", "low", "high")}
        long.append(
            found.rename(columns={**ends, f"{metric}_reason": "note"})
            .astype(dict.fromkeys(ends.values(), float))
            .assign(label=labels(found), series=name, shown=parts.intervals(found, metric))
        )
    both = pd.concat(long) if long else pd.DataFrame()
    if both.empty:
        parts.not_evaluated(task)
        return
    columns = ["label", "series", "value", "low", "high", "note", "n", "n_positive"]
    panel = Panel(
        "", limits_of(numbers_of(both)), axis=f"{worded(metric)}, {POPULATIONS[population]}"
    )
    charts.show(whiskers(both[columns], [panel], series_of(list(two))),
                f"{worded(metric)} of each arm, on both copies.")  # fmt: skip
    table = both.pivot(index="label", columns="series", values="shown").reindex(columns=list(two))
    table = table.fillna("\N{EN DASH}").rename_axis("Arm in full").reset_index()
    table.insert(0, "Arm", table["Arm in full"].map(short_arm))
    parts.table(copy, table[["Arm", *two, "Arm in full"]], f"two-copies-{task}-{metric}")


def _facts(copy: Copy) -> dict[str, str]:
    """Everything that may differ, in words: cohort, rules, outcomes, modalities, settings."""
    found = frame(
        copy,
        "select 'Stays' as fact, printf('%,d', count(*)) as words from marts.cohort union all"
        " select 'Patients', printf('%,d', count(distinct subject_id)) from marts.cohort union all"
        " select 'Test stays', printf('%,d', count(*)) from marts.cohort where split = 'test'"
        " union all select 'Median age', printf('%.0f years', median(age)) from marts.cohort"
        " union all select 'Positive: ' || task, printf('%.1f%% (%d of %d)', 100 * avg(label),"
        " sum(label), count(*)) from marts.labels group by task"
        " union all select 'With ' || modality, printf('%.1f%%', 100 * avg(in_window::int))"
        " from marts.stay_modalities group by modality"
        " union all select 'Dropped: ' || criterion, printf('%d stays', stays_dropped)"
        " from marts.cohort_attrition where stays_dropped > 0",
    )
    settings = json.loads(frame(copy, "select variables from marts.cohort_definition").iat[0, 0])
    return {
        "Data": copy.data_kind,
        "Protocol": copy.protocol,
        "Cohort": copy.cohort_hash[:12],
        "Published": f"{copy.published_at:%d %b %Y, %H:%M}",
        **{worded(fact): words for fact, words in found.itertuples(index=False)},
        **{f"Setting {name}": json.dumps(value) for name, value in settings.items()},
    }

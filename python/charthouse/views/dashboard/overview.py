"""The cohort: how it came to be, what it holds, how often outcomes are positive."""

import streamlit as st

from charthouse.views.dashboard import charts, parts
from charthouse.views.dashboard.charts import Bar
from charthouse.views.dashboard.data import Copy, Site, frame, modalities, tasks
from charthouse.views.figures import style
from charthouse.views.figures.words import MINUS

UNIT = "coalesce(cohort.first_careunit, 'Unknown')"
OF_UNITS = f"{UNIT} in (select unnest($1::varchar[]))"
"""Which stays of the cohort are of the units that are chosen."""


@parts.page("overview", "Overview", "Which stays the benchmark is about.")
def page(site: Site, copy: Copy) -> None:
    """Without charts or tables of Streamlit's at first, so that it is there at once."""
    units = choose_units(copy)
    _counts(copy, units)
    st.subheader("From all ICU stays to the cohort", anchor=False)
    _attrition(copy)
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("How often outcomes are positive", anchor=False)
        _label_rates(copy, units)
    with right:
        st.subheader("What stays have in the window", anchor=False)
        _coverage(copy, units)
    for title, shown in (
        ("What stays have, by unit", _units),
        ("Data-quality issues (marts.data_quality)", _quality),
        ("Settings in force (marts.cohort_definition)", _settings),
    ):
        expander = st.expander(title, on_change="rerun", key=title)
        if expander.open:
            with expander:
                shown(copy)


def choose_units(copy: Copy) -> list[str]:
    """First care units, the largest first; the other pages that list stays have the same choice."""
    found = frame(
        copy,
        f"select {UNIT} as unit from marts.cohort as cohort group by 1 order by count(*) desc, 1",
    )
    units = list(found["unit"])
    return parts.choose_some("First care unit", units, {unit: unit for unit in units}, key="unit")


def _counts(copy: Copy, units: list[str]) -> None:
    found = frame(
        copy,
        "select count(*) as stays, count(distinct subject_id) as patients,"
        " count(*) filter (where split = 'test') as test, median(age) as age,"
        f" median(los_days) as los_days from marts.cohort as cohort where {OF_UNITS}",
        units,
    ).iloc[0]
    told = {
        "Stays": f"{found['stays']:,.0f}",
        "Patients": f"{found['patients']:,.0f}",
        "Test stays": f"{found['test']:,.0f}",
        "Median age": f"{found['age']:.0f} years",
        "Median ICU stay": f"{found['los_days']:.1f} days",
    }
    charts.facts(told)


def _attrition(copy: Copy) -> None:
    """Rule by rule, of all units: what is left in blue, what the rule dropped beside it."""
    first, *rules = frame(copy, "select * from marts.cohort_attrition order by step").itertuples()
    most = max(first.stays, 1)
    shown = [Bar("All ICU stays", [(1.0, style.BLUE)], _stays(first.stays, first.patients))]
    for rule in rules:
        if rule.stays_dropped:
            shown.append(
                Bar(
                    parts.worded(rule.criterion),
                    [(rule.stays / most, style.BLUE),
                     (rule.stays_dropped / most, style.VERMILLION)],
                    f"{MINUS}{rule.stays_dropped:,} stays,"
                    f" {MINUS}{rule.patients_dropped:,} patients",
                )
            )  # fmt: skip
    last = rules[-1] if rules else first
    words = _stays(last.stays, last.patients)
    charts.bars([*shown, Bar("In the cohort", [(last.stays / most, style.BLUE)], words)])
    if silent := [rule.criterion for rule in rules if not rule.stays_dropped]:
        parts.text(f"Rules that dropped none: {'; '.join(silent)}.", small=True)


def _stays(stays: int, patients: int) -> str:
    return f"{stays:,} stays, {patients:,} patients"


def _label_rates(copy: Copy, units: list[str]) -> None:
    found = frame(
        copy,
        "select labels.task, cohort.split, count(*) as stays,"
        " sum(labels.label)::bigint as positive, avg(labels.label) as rate"
        " from marts.labels as labels inner join marts.cohort as cohort using (stay_id)"
        f" where {OF_UNITS} group by labels.task, cohort.split"
        " order by list_position(['train', 'validation', 'test'], cohort.split)",
        units,
    )
    asked = dict(frame(copy, "select task, question from seeds.tasks").itertuples(index=False))
    for task in tasks(copy):
        question = f": {asked[task]}" if task in asked else ""
        parts.text(question, bold=parts.worded(task), small=True)
        charts.bars(
            [
                Bar(parts.worded(row.split), [(row.rate, style.BLUE)],
                    f"{row.rate:.1%} ({row.positive:,} of {row.stays:,})")
                for row in found[found["task"] == task].itertuples()
            ]
        )  # fmt: skip


def _coverage(copy: Copy, units: list[str]) -> None:
    found = frame(
        copy,
        "select modality, avg(in_window::int) as share, count(*) as stays"
        " from marts.stay_modalities inner join marts.modalities using (modality)"
        f" inner join marts.cohort as cohort using (stay_id) where {OF_UNITS}"
        " group by modality, position union all by name"
        " select 'complete' as modality, avg(is_complete::int) as share, count(*) as stays"
        f" from marts.cohort as cohort where {OF_UNITS}",
        units,
    )
    colours = style.modality_colours(modalities(copy)) | {"complete": style.PURPLE}
    st.caption("Of the stays of the cohort, those with")
    charts.bars(
        [
            Bar(parts.worded(row.modality), [(row.share, colours[row.modality])],
                f"{row.share:.1%} ({row.share * row.stays:,.0f})")
            for row in found.itertuples()
        ]
    )  # fmt: skip


def _units(copy: Copy) -> None:
    percent = st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1)
    found = frame(
        copy,
        f'select {UNIT} as "first care unit", has.modality, has.in_window::int as has'
        " from marts.cohort as cohort inner join marts.stay_modalities as has using (stay_id)"
        " inner join marts.modalities as known using (modality) order by known.position",
    )
    of_unit = found.groupby("first care unit", sort=False)
    known = list(dict.fromkeys(found["modality"]))
    shares = found.pivot_table("has", "first care unit", "modality")[known]
    shares.insert(0, "stays", of_unit.size() // len(known))
    shares = shares.sort_values("stays", ascending=False).reset_index()
    parts.table(copy, shares, "units", columns={parts.worded(name): percent for name in known})


def _quality(copy: Copy) -> None:
    found = frame(
        copy,
        "select source, finding, rows_found, of_rows from marts.data_quality"
        " where rows_found > 0 order by all",
    )
    parts.table(copy, found, "data-quality")


def _settings(copy: Copy) -> None:
    st.json(frame(copy, "select variables from marts.cohort_definition")["variables"][0])

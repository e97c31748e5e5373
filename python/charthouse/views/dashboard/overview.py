"""The cohort: how it came to be, what it holds, how often outcomes are positive."""

import streamlit as st

from charthouse.views.dashboard import charts, parts
from charthouse.views.dashboard.charts import Bar
from charthouse.views.dashboard.data import Copy, Site, frame, modalities, tasks
from charthouse.views.figures import style
from charthouse.views.figures.words import MINUS


def show(site: Site, copy: Copy) -> None:
    """The page: without charts or tables of Streamlit's, so that it is there at once."""
    parts.head(site, copy, "Overview", "Which stays the benchmark is about.")
    _counts(copy)
    st.subheader("From all ICU stays to the cohort", anchor=False)
    _attrition(copy)
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("How often outcomes are positive", anchor=False)
        _label_rates(copy)
    with right:
        st.subheader("What stays have in the window", anchor=False)
        _coverage(copy)
    for title, shown in (
        ("What stays have, by unit", _units),
        ("Rows that are merely dirty (marts.data_quality)", _quality),
        ("Settings in force (marts.cohort_definition)", _settings),
    ):
        expander = st.expander(title, on_change="rerun", key=title)
        if expander.open:
            with expander:
                shown(copy)


def _counts(copy: Copy) -> None:
    found = frame(
        copy,
        "select count(*) as stays, count(distinct subject_id) as patients,"
        " count(*) filter (where split = 'test') as test,"
        " median(age) as age, median(los_days) as los_days from marts.cohort",
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
    """Rule by rule: what is left in blue, what the rule dropped beside it."""
    first, *rules = frame(copy, "select * from marts.cohort_attrition order by step").itertuples()
    most = max(first.stays, 1)
    shown = [Bar("all ICU stays", [(1.0, style.BLUE)], _stays(first.stays, first.patients))]
    for rule in rules:
        if rule.stays_dropped:
            shown.append(
                Bar(
                    rule.criterion,
                    [(rule.stays / most, style.BLUE),
                     (rule.stays_dropped / most, style.VERMILLION)],
                    f"{MINUS}{rule.stays_dropped:,} stays,"
                    f" {MINUS}{rule.patients_dropped:,} patients",
                )
            )  # fmt: skip
    last = rules[-1] if rules else first
    words = _stays(last.stays, last.patients)
    charts.bars([*shown, Bar("in the cohort", [(last.stays / most, style.BLUE)], words)])
    if silent := [rule.criterion for rule in rules if not rule.stays_dropped]:
        parts.text(f"Rules that dropped none: {'; '.join(silent)}.", small=True)


def _stays(stays: int, patients: int) -> str:
    return f"{stays:,} stays, {patients:,} patients"


def _label_rates(copy: Copy) -> None:
    found = frame(
        copy,
        "select labels.task, cohort.split, count(*) as stays,"
        " sum(labels.label)::bigint as positive, avg(labels.label) as rate"
        " from marts.labels as labels inner join marts.cohort as cohort using (stay_id)"
        " group by labels.task, cohort.split"
        " order by list_position(['train', 'validation', 'test'], cohort.split)",
    )
    asked = dict(frame(copy, "select task, question from seeds.tasks").itertuples(index=False))
    for task in tasks(copy):
        parts.text(f": {asked.get(task, '')}", bold=parts.worded(task), small=True)
        charts.bars(
            [
                Bar(row.split, [(row.rate, style.BLUE)],
                    f"{row.rate:.1%} ({row.positive:,} of {row.stays:,})")
                for row in found[found["task"] == task].itertuples()
            ]
        )  # fmt: skip


def _coverage(copy: Copy) -> None:
    found = frame(
        copy,
        "select modality, avg(in_window::int) as share, count(*) as stays"
        " from marts.stay_modalities inner join marts.modalities using (modality)"
        " group by modality, position union all by name"
        " select 'complete' as modality, avg(is_complete::int) as share, count(*) as stays"
        " from marts.cohort",
    )
    colours = style.modality_colours(modalities(copy)) | {"complete": style.PURPLE}
    st.caption("Of the stays of the cohort, those with")
    charts.bars(
        [
            Bar(row.modality, [(row.share, colours[row.modality])],
                f"{row.share:.1%} ({row.share * row.stays:,.0f})")
            for row in found.itertuples()
        ]
    )  # fmt: skip


def _units(copy: Copy) -> None:
    percent = st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1)
    found = frame(
        copy,
        'select cohort.first_careunit as "first care unit", has.modality, has.in_window::int as has'
        " from marts.cohort as cohort inner join marts.stay_modalities as has using (stay_id)"
        " inner join marts.modalities as known using (modality) order by known.position",
    )
    of_unit = found.groupby("first care unit", sort=False)
    known = list(dict.fromkeys(found["modality"]))
    shares = found.pivot_table("has", "first care unit", "modality")[known]
    shares.insert(0, "stays", of_unit.size() // len(known))
    st.dataframe(
        shares.sort_values("stays", ascending=False).reset_index(),
        hide_index=True, width="stretch", column_config=dict.fromkeys(known, percent),
    )  # fmt: skip


def _quality(copy: Copy) -> None:
    parts.table(
        frame(
            copy,
            "select source, finding, rows_found, of_rows from marts.data_quality"
            " where rows_found > 0 order by all",
        )
    )


def _settings(copy: Copy) -> None:
    st.json(frame(copy, "select variables from marts.cohort_definition")["variables"][0])

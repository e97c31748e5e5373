"""The cohort: how it came to be, what it holds, how often outcomes are positive."""

import altair as alt
import pandas as pd
import streamlit as st

from charthouse.dashboard import charts, parts
from charthouse.dashboard.data import Copy, Site, frame, tasks
from charthouse.report import style

SPLITS = ("train", "validation", "test")
MODALITIES = {
    "vitals": ("has_vitals", style.MODALITY_COLOURS["time_series"]),
    "X-ray": ("has_image", style.MODALITY_COLOURS["image"]),
    "report": ("has_text", style.MODALITY_COLOURS["text"]),
    "all three": ("has_vitals and has_image and has_text", style.MODALITY_COLOURS["presence"]),
}


def show(site: Site, copy: Copy) -> None:
    """The page."""
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
    with st.expander("Settings in force (marts.cohort_definition)"):
        settings = frame(copy, "select variables from marts.cohort_definition")
        st.json(settings["variables"][0], expanded=True)
    with st.expander("Rows that are merely dirty (marts.data_quality)"):
        parts.table(
            frame(
                copy,
                "select source, finding, rows_found, of_rows from marts.data_quality"
                " where rows_found > 0 order by all",
            )
        )


def _counts(copy: Copy) -> None:
    found = frame(
        copy,
        "select count(*) as stays, count(distinct subject_id) as patients,"
        " count(*) filter (where split = 'test') as test,"
        " median(age) as age, median(los_days) as los_days from marts.cohort",
    ).iloc[0]
    for column, (label, value) in zip(
        st.columns(5),
        {
            "Stays": f"{found['stays']:,.0f}",
            "Patients": f"{found['patients']:,.0f}",
            "Test stays": f"{found['test']:,.0f}",
            "Median age": f"{found['age']:.0f} years",
            "Median ICU stay": f"{found['los_days']:.1f} days",
        }.items(),
        strict=True,
    ):
        column.metric(label, value)


def _attrition(copy: Copy) -> None:
    """Rule by rule: what is left in blue, what the rule dropped beside it."""
    found = frame(copy, "select * from marts.cohort_attrition order by step")
    found["words"] = [
        f"{row.stays:,} stays, {row.patients:,} patients"
        if not row.stays_dropped
        else f"\N{MINUS SIGN}{row.stays_dropped:,} stays, \N{MINUS SIGN}{row.patients_dropped:,}"
        f" patients; {row.stays:,} stays left"
        for row in found.itertuples()
    ]
    drops = found["stays_dropped"] > 0
    ends = found["step"].isin([found["step"].min(), found["step"].max()])
    silent = found[~(drops | ends)]
    shown = found[drops | ends]
    long = pd.concat([
        shown.assign(part="left", count=shown["stays"], place=0),
        shown.assign(part="dropped", count=shown["stays_dropped"], place=1),
    ])  # fmt: skip
    most = int(found["stays"].max())
    base = alt.Chart(long).encode(
        y=alt.Y("criterion:N", sort=list(shown["criterion"]), title=None,
                axis=alt.Axis(labelLimit=charts.LABELS, ticks=False, domain=False))
    )  # fmt: skip
    bars = base.mark_bar(height=16).encode(
        x=alt.X("count:Q", title="stays", scale=alt.Scale(domain=[0, most * 1.5], nice=False),
                axis=alt.Axis(format=",d", grid=False)),
        color=alt.Color(
            "part:N", legend=None,
            scale=alt.Scale(domain=["left", "dropped"], range=[style.BLUE, style.VERMILLION]),
        ),
        order="place:Q",
        tooltip=["criterion:N", "part:N", "count:Q"],
    )  # fmt: skip
    words = (
        base.transform_filter("datum.part == 'left'")
        .transform_calculate(end="datum.stays + datum.stays_dropped")
        .mark_text(align="left", dx=6, color=style.INK, fontSize=12)
        .encode(x="end:Q", text="words:N")
    )
    charts.draw(
        (bars + words).properties(height=alt.Step(26)),
        f"Bars: of {most:,} ICU stays {int(found['stays'].iloc[-1]):,} are left after every rule.",
    )
    if len(silent):
        st.caption(f"Dropped none: {'; '.join(silent['criterion'])}.")


def _label_rates(copy: Copy) -> None:
    found = frame(
        copy,
        "select labels.task, cohort.split, count(*) as stays,"
        " sum(labels.label)::bigint as positive, avg(labels.label) as rate"
        " from marts.labels as labels inner join marts.cohort as cohort using (stay_id)"
        " group by all",
    )
    found["words"] = [
        f"{row.rate:.1%}  ({row.positive:,} of {row.stays:,})" for row in found.itertuples()
    ]
    for task in tasks(copy):
        of_task = found[found["task"] == task]
        st.caption(parts.worded(task))
        _bars(of_task, "split", SPLITS, "rate", dict.fromkeys(SPLITS, style.BLUE))


def _coverage(copy: Copy) -> None:
    shares = ", ".join(
        f"avg(({condition})::int) as \"{name}\"" for name, (condition, _) in MODALITIES.items()
    )
    found = frame(
        copy, f"select count(*) as stays, {shares} from marts.cohort"
    )
    long = pd.DataFrame(
        [
            {"modality": name, "share": found[name][0],
             "words": f"{found[name][0]:.1%}  ({round(found[name][0] * found['stays'][0]):,})"}
            for name in MODALITIES
        ]
    )  # fmt: skip
    st.caption("Share of the stays of the cohort")
    _bars(long, "modality", list(MODALITIES), "share",
          {name: colour for name, (_, colour) in MODALITIES.items()})  # fmt: skip
    units = frame(
        copy,
        f"select first_careunit as \"first care unit\", count(*) as stays, {shares}"
        " from marts.cohort group by 1 order by 2 desc",
    )
    st.caption("By unit")
    percent = st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1)
    st.dataframe(
        units, hide_index=True, width="stretch", column_config=dict.fromkeys(MODALITIES, percent)
    )


def _bars(
    found: pd.DataFrame, name: str, order: list[str] | tuple[str, ...], value: str,
    colours: dict[str, str],
) -> None:  # fmt: skip
    """Shares of one, each with its number."""
    base = alt.Chart(found).encode(
        y=alt.Y(f"{name}:N", sort=list(order), title=None,
                axis=alt.Axis(ticks=False, domain=False, minExtent=70)),
        x=alt.X(f"{value}:Q", title=None, scale=alt.Scale(domain=[0, 1.35], nice=False),
                axis=None),
    )  # fmt: skip
    bars = base.mark_bar(height=16).encode(
        color=alt.Color(
            f"{name}:N", legend=None,
            scale=alt.Scale(domain=list(colours), range=list(colours.values())),
        )
    )  # fmt: skip
    words = base.mark_text(align="left", dx=6, color=style.INK, fontSize=12).encode(text="words:N")
    charts.draw(
        (bars + words).properties(height=alt.Step(24)),
        "; ".join(f"{row[name]}: {row['words']}" for _, row in found.iterrows()),
    )

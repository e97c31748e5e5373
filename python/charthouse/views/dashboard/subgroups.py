"""Figure 4: how good arms are by subgroup, and how far apart the subgroups are."""

from typing import Any

import pandas as pd
import streamlit as st

from charthouse.jobs.evaluate.representatives import one_per_modalities
from charthouse.views.dashboard import charts, parts
from charthouse.views.dashboard.charts import Whiskers
from charthouse.views.dashboard.data import Copy, Site, frame, tasks
from charthouse.views.dashboard.leaderboard import labels
from charthouse.views.report.choose import MOST
from charthouse.views.report.read import MOST_GROUPS
from charthouse.views.report.subgroups import RATIOS


def show(site: Site, copy: Copy) -> None:
    """The page."""
    parts.head(
        site, copy, "Subgroups and fairness",
        "Compare groups within one colour, and mind how few positive stays a group has.",
    )  # fmt: skip
    if not parts.has_tables(copy, "reports.subgroups", "reports.fairness", "reports.arms"):
        return
    task = parts.choose_task(tasks(copy))
    found = _with_labels(groups_of(copy, "reports.subgroups", task))
    if found.empty:
        parts.empty(
            f"No subgroup has been measured for {parts.as_written(task)} on this cohort.",
            *parts.EVALUATED,
        )
        return
    metric = parts.choose_long("Metric", _first("auroc", found["metric"]), key="metric")
    attributes = drawn_attributes(found, "reports.subgroups")
    names = parts.choose_some("Attribute", attributes, key="attribute")
    arms = _choose_arms(copy, task, found)
    series = charts.series_of(arms)
    shown = found[(found["metric"] == metric) & found["label"].isin(arms)]
    charts.legend(series)
    _groups(shown, metric, [name for name in attributes if name in names], series)
    st.subheader("How far apart the groups are", anchor=False)
    fairness = _with_labels(frame(copy, "select * from reports.fairness where task = ?", task))
    _fairness(fairness[fairness["label"].isin(arms) & fairness["attribute"].isin(names)], series)


def groups_of(copy: Copy, table: str, task: str) -> pd.DataFrame:
    """Rows by subgroup: ages in their order, other groups the largest first."""
    return frame(
        copy,
        f"select found.* from {table} as found left join seeds.age_groups"
        " as ages on found.attribute = 'age_group' and found.subgroup = ages.age_group"
        " where task = ? order by attribute, subgroup = '(missing)', ages.age_group is null,"
        " ages.up_to nulls last, n desc, subgroup",
        task,
    )


def _with_labels(found: pd.DataFrame) -> pd.DataFrame:
    return found.assign(label=labels(found))


def _first(name: str, names: pd.Series) -> list[str]:
    return sorted(set(names), key=lambda other: (other != name, other))


def drawn_attributes(found: pd.DataFrame, table: str) -> list[str]:
    """Those with a readable number of groups, and that name no patient; says which are not."""
    sizes = found.groupby("attribute")["subgroup"].nunique()
    drawn = [
        name for name, size in sizes.items() if size <= MOST_GROUPS and not name.endswith("_id")
    ]
    if hidden := sorted(set(sizes.index) - set(drawn)):
        parts.text(f"Too many groups to draw: {', '.join(hidden)}; see {table}.", small=True)
    return drawn


def _choose_arms(copy: Copy, task: str, found: pd.DataFrame) -> list[str]:
    """Unless others are chosen, one for each set of modalities."""
    fusion = found["fusion"].mode()[0]
    arms = frame(
        copy,
        "select arm, validation_auroc from reports.arms"
        " where task = ? and fusion = ? and validation_auroc is not null",
        task,
        fusion,
    )
    best = dict(zip(arms["arm"], arms["validation_auroc"], strict=True))
    of_fusion = found[found["fusion"] == fusion]
    usual = one_per_modalities(sorted(set(of_fusion["arm"])), best)
    label_of = dict(zip(of_fusion["arm"], of_fusion["label"], strict=True))
    picked: list[str] = st.multiselect(
        "Arms", sorted(set(found["label"])), default=[label_of[arm] for arm in usual],
        max_selections=MOST, key=f"arms-{task}", bind="query-params",
    )  # fmt: skip
    return picked


def _groups(
    found: pd.DataFrame, metric: str, attributes: list[str], series: dict[str, tuple[str, str]]
) -> None:
    long = by_group(found).assign(series=found["label"])
    if long.empty:
        parts.empty("No arm is chosen.")
        return
    reference = 0.5 if metric == "auroc" else None
    charts.say_without_interval(long[long["attribute"].isin(attributes)])
    ends = charts.domain(long, *([0.5] if reference else []), within=(0, 1))
    for attribute in attributes:
        parts.text(bold=parts.worded(attribute))
        charts.whiskers(
            Whiskers(
                long[long["attribute"] == attribute].drop(columns="attribute"),
                parts.worded(metric), ends, series, reference,
                f"{parts.worded(metric)} by {attribute}, arm by arm.",
            )
        )  # fmt: skip


def by_group(found: pd.DataFrame) -> pd.DataFrame:
    """Estimates with their groups as labels."""
    return pd.DataFrame(
        {
            "label": [_group(row) for row in found.itertuples()],
            "value": found["value"],
            "low": found["ci_low"],
            "high": found["ci_high"],
            "note": found["reason"],
            "attribute": found["attribute"],
        }
    )


def _group(row: Any) -> str:
    """A group and its stays; of accuracy, beside that of the larger class."""
    larger = f", larger class {max(row.n_positive, row.n - row.n_positive) / row.n:.2f}"
    beside = larger if row.metric == "accuracy" and row.n else ""
    return f"{row.subgroup}\nn {row.n:,}, {row.n_positive:,} positive{beside}"


def _fairness(found: pd.DataFrame, series: dict[str, tuple[str, str]]) -> None:
    if found.empty:
        parts.empty("No measure of fairness for what is chosen.")
        return
    for column, (metric, title) in zip(st.columns(2, gap="large"), RATIOS.items(), strict=True):
        of_metric = found[found["metric"] == metric]
        long = pd.DataFrame(
            {
                "label": [parts.worded(name) for name in of_metric["attribute"]],
                "value": of_metric["value"],
                "low": of_metric["ci_low"],
                "high": of_metric["ci_high"],
                "series": of_metric["label"],
                "note": of_metric["reason"],
            }
        )
        with column:
            st.markdown(f"**{title}**, 1: the groups are alike")
            charts.say_without_interval(long)
            charts.whiskers(
                Whiskers(long, title, (0, 1.02), series, 1.0, f"{title} by attribute.", labels=110)
            )
    st.markdown("**Every measure as a table**")
    parts.table(
        pd.DataFrame(
            {
                "attribute": found["attribute"],
                "measure": [parts.worded(name) for name in found["metric"]],
                "arm": found["label"],
                "value": [
                    parts.interval(row, "value", "ci_low", "ci_high") for _, row in found.iterrows()
                ],
                "groups": found["n_groups"],
                "worst group": found["worst_group"],
                "left out": [", ".join(groups) for groups in found["left_out"]],
                "why no value or interval": found["reason"],
            }
        ).sort_values(["attribute", "measure", "arm"])
    )

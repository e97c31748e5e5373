"""Figure 4: how good arms are by subgroup, and how far apart the subgroups are."""

import pandas as pd
import streamlit as st

from charthouse.jobs.evaluate.representatives import one_per_modalities
from charthouse.views.dashboard import charts, parts
from charthouse.views.dashboard.data import Copy, Site, frame, tasks
from charthouse.views.figures.leaderboard import labels
from charthouse.views.figures.style import Key, series_of
from charthouse.views.figures.subgroups import fairness, subgroups
from charthouse.views.report.choose import MOST
from charthouse.views.report.read import MOST_GROUPS


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
    shown = found["label"].isin(arms) & found["attribute"].isin(set(attributes) & set(names))
    shown = found[shown & (found["metric"] == metric)]
    if shown.empty:
        parts.empty("No arm is chosen.")
    else:
        title = parts.worded(metric)
        reference = 0.5 if metric == "auroc" else None
        charts.show(
            subgroups(shown.assign(series=shown["label"]), title, series_of(arms),
                      reference=reference),
            f"{title} by subgroup, arm by arm.",
        )  # fmt: skip
    st.subheader("How far apart the groups are", anchor=False)
    apart = _with_labels(frame(copy, "select * from reports.fairness where task = ?", task))
    _fairness(apart[apart["label"].isin(arms) & apart["attribute"].isin(names)], series_of(arms))


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


def _fairness(found: pd.DataFrame, series: dict[str, Key]) -> None:
    if found.empty:
        parts.empty("No measure of fairness for what is chosen.")
        return
    charts.show(
        fairness(found.assign(series=found["label"]), series), "Fairness ratios by attribute."
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

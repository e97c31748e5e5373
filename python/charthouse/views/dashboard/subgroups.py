"""Figure 4: how good arms are by subgroup, and how far apart the subgroups are."""

import pandas as pd
import streamlit as st

from charthouse.jobs.evaluate.representatives import one_per_modalities
from charthouse.views.dashboard import charts, parts
from charthouse.views.dashboard.data import Copy, Site, frame
from charthouse.views.figures.leaderboard import labels
from charthouse.views.figures.style import Key, series_of
from charthouse.views.figures.subgroups import fairness, subgroups
from charthouse.views.figures.words import group_words, reason_words, short_arm
from charthouse.views.report.choose import MOST
from charthouse.views.report.read import MOST_GROUPS, by_group


@parts.page(
    "subgroups", "Subgroups and fairness",
    "Compare groups within one colour, and mind how few positive stays a group has.",
    "reports.subgroups", "reports.fairness", "reports.arms",
)  # fmt: skip
def page(site: Site, copy: Copy) -> None:
    """A metric by group, then the ratios and gaps between groups."""
    task, row = parts.choose_task(copy)
    if parts.rows_of(copy, "reports.subgroups", task) is None:
        return
    found = _with_labels(groups_of(copy, "reports.subgroups", task))
    attributes = drawn_attributes(found, "reports.subgroups")
    with row:
        metric = parts.choose("Metric", _first("auroc", found["metric"]), key="metric")
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
        groups = pd.DataFrame(
            {
                "Attribute": shown["attribute"].map(parts.worded),
                "Group": list(map(group_words, shown["attribute"], shown["subgroup"])),
                "Arm": shown["label"].map(short_arm),
                title: parts.intervals(shown),
                "Stays": shown["n"],
                "Positive": shown["n_positive"],
                "Why no value or interval": shown["reason"],
            }
        )
        parts.table(copy, groups, f"subgroups-{task}-{metric}", title="The same as a table")
    st.subheader("How far apart the groups are", anchor=False)
    apart = _with_labels(frame(copy, "select * from reports.fairness where task = ?", task))
    apart = apart[apart["label"].isin(arms) & apart["attribute"].isin(names)]
    _fairness(copy, apart, series_of(arms), f"fairness-{task}")


def groups_of(copy: Copy, table: str, task: str) -> pd.DataFrame:
    """Rows by subgroup: ages in their order, other groups the largest first."""
    return frame(copy, by_group(table), task)


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
        max_selections=MOST, key=f"arms-{task}", bind="query-params", format_func=short_arm,
    )  # fmt: skip
    return picked


def _fairness(copy: Copy, found: pd.DataFrame, series: dict[str, Key], name: str) -> None:
    if found.empty:
        parts.empty("No measure of fairness for what is chosen.")
        return
    charts.show(
        fairness(found.assign(series=found["label"]), series), "Fairness ratios by attribute."
    )
    shown = pd.DataFrame(
        {
            "Attribute": found["attribute"].map(parts.worded),
            "Measure": found["metric"].map(parts.worded),
            "Arm": found["label"].map(short_arm),
            "Value": parts.intervals(found),
            "Groups": found["n_groups"],
            "Worst group": [
                group_words(attribute, group) if isinstance(group, str) else None
                for attribute, group in zip(found["attribute"], found["worst_group"], strict=True)
            ],
            "Left out": [
                ", ".join(group_words(attribute, group) for group in groups)
                for attribute, groups in zip(found["attribute"], found["left_out"], strict=True)
            ],
            "Why no value or interval": [
                reason_words(*row) for row in found[["attribute", "reason"]].itertuples(index=False)
            ],
        }
    ).sort_values(["Attribute", "Measure", "Arm"])
    parts.table(copy, shown, name, title="Every measure as a table")

"""Figure 4: AUROC by subgroup, and how far apart the subgroups are."""

from collections.abc import Iterable, Sequence

from matplotlib.axes import Axes

from charthouse.views.report import style
from charthouse.views.report.read import MOST_GROUPS, Row, TaskResults
from charthouse.views.report.rows import limits_of, note, prepare, stack, whisker, write_labels
from charthouse.views.report.style import Sheet

RATIOS = {
    "demographic_parity_ratio": "Demographic parity ratio",
    "equalized_odds_ratio": "Equalized odds ratio",
}
_FIRST = {"age_group": "age", "gender": "gender", "race_group": "race"}

_LABELS, _PANEL, _BETWEEN = 2.3, 9.7, 0.3  # inches
_NOTE = 70  # characters, of half a panel


def attributes_of(results: TaskResults) -> list[str]:
    """Those that are drawn: age, gender and race first."""
    groups: dict[str, set[str]] = {}
    for row in results.subgroups:
        groups.setdefault(row["attribute"], set()).add(row["subgroup"])
    drawn = [name for name, members in groups.items() if len(members) <= MOST_GROUPS]
    order = list(_FIRST)
    return sorted(drawn, key=lambda name: (order.index(name) if name in order else 9, name))


def not_drawn(results: TaskResults) -> list[str]:
    """Attributes with too many groups for a picture."""
    found = {row["attribute"] for row in results.subgroups}
    return sorted(found - set(attributes_of(results)))


def subgroup_picture(results: TaskResults, arms: Sequence[Row]) -> Sheet:
    """AUROC of each arm in each group; where there is none, why."""
    groups: dict[str, dict[str, dict[str, Row]]] = {name: {} for name in attributes_of(results)}
    for row in results.subgroups:
        if row["attribute"] in groups:
            of_group = groups[row["attribute"]].setdefault(row["subgroup"], {})
            of_group[row["run_id"]] = row
    stacked = stack([(_title(name), list(of.items())) for name, of in groups.items()], 0.6)
    height = stacked.height * _row(arms)
    smallest = " or ".join(
        str(n) for n in sorted({run["min_group"] for run in results.evaluations})
    )
    sheet = Sheet(
        _LABELS + _PANEL + 0.25,
        height + _legend_height(arms) + 0.7,
        title=f"AUROC by subgroup, {results.task}",
        footer=style.footer(results, f"no figure for fewer than {smallest} stays", _runs(arms)),
        kind=results.cohort.data_kind,
    )
    _legend(sheet, arms)
    axes = sheet.axes(_LABELS, _legend_height(arms) + 0.2, _PANEL, height)
    drawn = {arm["run_id"] for arm in arms}
    ends = [
        row[name]
        for _, (_, of_group) in stacked.rows
        for run_id, row in of_group.items()
        if run_id in drawn
        for name in ("value", "ci_low", "ci_high")
    ]
    prepare(axes, stacked, "AUROC, all stays", limits_of([0.5, *ends], within=(0, 1)))
    axes.axvline(0.5, color=style.SOFT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    labels = []
    for y, (group, of_group) in stacked.rows:
        some = next(iter(of_group.values()))
        labels.append(f"{group}\nn {some['n']:,}, {some['n_positive']:,} positive")
        _draw_arms(axes, y, [of_group.get(arm["run_id"]) for arm in arms])
    write_labels(axes, stacked, labels)
    return sheet


def fairness_picture(results: TaskResults, arms: Sequence[Row]) -> Sheet:
    """Both ratios of each arm by attribute; 1 is equal."""
    by = {(row["attribute"], row["metric"], row["run_id"]): row for row in results.fairness}
    names = [name for name in attributes_of(results) if any(key[0] == name for key in by)]
    stacked = stack([("Between groups of", names)], 0.6)
    height = stacked.height * _row(arms)
    panel = (_PANEL - _BETWEEN) / 2
    sheet = Sheet(
        _LABELS + _PANEL + 0.25,
        height + _legend_height(arms) + 0.85,
        title=f"Fairness ratios, {results.task}",
        footer=style.footer(results, _runs(arms)),
        kind=results.cohort.data_kind,
    )
    _legend(sheet, arms)
    for side, (metric, title) in enumerate(RATIOS.items()):
        left = _LABELS + side * (panel + _BETWEEN)
        axes = sheet.axes(left, _legend_height(arms) + 0.2, panel, height)
        prepare(axes, stacked, title, (0, 1.02))
        axes.axvline(1, color=style.SOFT, linewidth=0.9, zorder=1)
        axes.set_xlabel("1: the groups are alike")
        for y, name in stacked.rows:
            _draw_arms(axes, y, [by.get((name, metric, arm["run_id"])) for arm in arms])
        if not side:
            labels = [
                "\n".join([_title(name), *_left_out(name, by.values(), arms)])
                for _, name in stacked.rows
            ]
            write_labels(axes, stacked, labels)
    return sheet


def _draw_arms(axes: Axes, y: float, estimates: Sequence[Row | None]) -> None:
    """The arms of a row below one another; a reason that they share is said once."""
    missing = [
        "not measured" if row is None else row["reason"] or "no value"
        for row in estimates
        if row is None or row["value"] is None
    ]
    if len(missing) == len(estimates) and len(set(missing)) == 1:
        note(axes, y, f"no figure: {missing[0]}")
        return
    step = 0.74 / len(estimates)
    for at, row in enumerate(estimates):
        here = y + (at - (len(estimates) - 1) / 2) * step
        colour, marker = style.ARM_STYLES[at]
        if row is None or row["value"] is None:
            note(axes, here, f"no figure: {missing.pop(0)}", colour)
            continue
        whisker(axes, here, (row["value"], row["ci_low"], row["ci_high"]), colour, marker, size=4.5)
        if row["ci_low"] is None:
            left, right = axes.get_xlim()
            on_right = row["value"] < (left + right) / 2
            axes.annotate(
                style.shortened(f"no interval: {row['reason'] or 'too few resamples'}", _NOTE),
                (row["value"], here), (6 if on_right else -6, 0), textcoords="offset points",
                ha="left" if on_right else "right", va="center", size=style.SMALL - 0.5,
                style="italic", color=style.SOFT,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4},
            )  # fmt: skip


def _row(arms: Sequence[Row]) -> float:
    """Height of a row, inches."""
    return 0.2 + 0.12 * max(len(arms), 2)


def _legend(sheet: Sheet, arms: Sequence[Row]) -> None:
    for at, arm in enumerate(arms):
        sheet.legend([style.key(arm["arm"], *style.ARM_STYLES[at])], at * 0.18)


def _legend_height(arms: Sequence[Row]) -> float:
    return 0.18 * len(arms) + 0.12


def _runs(arms: Sequence[Row]) -> str:
    return ", ".join(arm["run_id"] for arm in arms)


def _title(attribute: str) -> str:
    return _FIRST.get(attribute, attribute.replace("_", " ")).capitalize()


def _left_out(attribute: str, rows: Iterable[Row], arms: Sequence[Row]) -> list[str]:
    """Groups that a ratio is without, if any."""
    drawn = {arm["run_id"] for arm in arms}
    groups = sorted(
        {
            group
            for row in rows
            if row["attribute"] == attribute and row["run_id"] in drawn
            for group in row["left_out"]
        }
    )
    return style.wrapped_words(f"without {', '.join(groups)}", 30) if groups else []

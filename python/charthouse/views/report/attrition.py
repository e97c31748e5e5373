"""From all ICU stays to the splits, as a flow diagram."""

from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from charthouse.views.report import style
from charthouse.views.report.read import CohortFacts, Row
from charthouse.views.report.style import Sheet

_WIDTH, _MAIN, _RULE = 10.0, 2.6, 5.6  # inches
_LEFT, _RIGHT = 0.6, 4.0
_BOX, _LINE, _ARROW = 0.46, 0.17, 0.3


def attrition_picture(cohort: CohortFacts) -> Sheet:
    """Every rule with what it dropped; rules in a row that dropped nothing share a box."""
    steps = list(_steps(cohort.attrition))
    by_split: dict[str, list[str]] = {}
    for row in cohort.positives:
        words = f"{row['n_positive']:,} positive, {row['task']}"
        by_split.setdefault(row["split"], []).append(words)
    splits = [
        [f"{row['split']}: {row['stays']:,} stays", f"{row['patients']:,} patients",
         *by_split.get(row["split"], [])]
        for row in cohort.splits
    ]  # fmt: skip
    heights = [_height(rules) for rules, _ in steps]
    most = max((len(words) for words in splits), default=1)
    body = _BOX + sum(heights) + len(steps) * _BOX + _ARROW * 1.4 + 0.2 + most * _LINE + 0.15
    sheet = Sheet(
        _WIDTH, body, title="From all ICU stays to the cohort and its splits",
        footer=style.cohort_footer(cohort), kind=cohort.data_kind,
    )  # fmt: skip
    axes = sheet.axes(0, 0, _WIDTH, body)
    axes.set_xlim(0, _WIDTH)
    axes.set_ylim(body, 0)
    axes.axis("off")
    middle = _LEFT + _MAIN / 2
    first = cohort.attrition[0]
    _box(axes, _LEFT, 0, _MAIN, _BOX, _counts(first["criterion"], first), bold=True)
    y = _BOX
    for at, ((rules, left), height) in enumerate(zip(steps, heights, strict=True)):
        _arrow(axes, (middle, y), (middle, y + height))
        lines = [_rule(rule) for rule in rules]
        dropped = any(rule["stays_dropped"] for rule in rules)
        inner = height - 0.16
        _box(axes, _RIGHT, y + 0.08, _RULE, inner, lines, grey=not dropped, left=True)
        axes.plot([middle, _RIGHT], [y + height / 2] * 2, color=style.SOFT, linewidth=0.8, zorder=0)
        y += height
        last = at == len(steps) - 1
        title = "in the cohort" if last else "left"
        _box(axes, _LEFT, y, _MAIN, _BOX, _counts(title, left), bold=last)
        y += _BOX
    _splits(axes, y, middle, splits, most * _LINE + 0.15)
    return sheet


def _splits(
    axes: Axes, y: float, middle: float, splits: Sequence[Sequence[str]], height: float
) -> None:
    width = (_WIDTH - 2 * _LEFT) / max(len(splits), 1) - 0.2
    fork = y + _ARROW * 0.7
    centres = [_LEFT + at * (width + 0.2) + width / 2 for at in range(len(splits))]
    axes.plot([middle, middle], [y, fork], color=style.SOFT, linewidth=0.9)
    axes.plot(
        [min([middle, *centres]), max([middle, *centres])], [fork, fork],
        color=style.SOFT, linewidth=0.9,
    )  # fmt: skip
    for centre, words in zip(centres, splits, strict=True):
        _arrow(axes, (centre, fork), (centre, fork + _ARROW))
        _box(axes, centre - width / 2, fork + _ARROW, width, height, words)


def _steps(attrition: Sequence[Row]) -> Iterator[tuple[list[Row], Row]]:
    """Rules of one box, and what is left after them."""
    together: list[Row] = []
    for row in attrition[1:]:
        if together and bool(row["stays_dropped"]) | bool(together[-1]["stays_dropped"]):
            yield together, together[-1]
            together = []
        together.append(row)
    if together:
        yield together, together[-1]


def _rule(row: Row) -> str:
    if not row["stays_dropped"]:
        return f"{row['criterion']}: drops none"
    return (
        f"{row['criterion']}: drops {row['stays_dropped']:,} stays,"
        f" {row['patients_dropped']:,} patients"
    )


def _counts(title: str, row: Row) -> list[str]:
    return [title, f"{row['stays']:,} stays, {row['patients']:,} patients"]


def _height(rules: Sequence[Row]) -> float:
    return max(len(rules) * _LINE + 0.16, _ARROW) + 0.16


def _box(
    axes: Axes, x: float, y: float, width: float, height: float, lines: Sequence[str],
    *, bold: bool = False, grey: bool = False, left: bool = False,
) -> None:  # fmt: skip
    edge = style.FAINT if grey else style.BLUE if not left else style.VERMILLION
    axes.add_patch(
        FancyBboxPatch(
            (x, y), width, height, boxstyle="round,pad=0,rounding_size=0.05",
            facecolor="#eef5fa" if bold else "white", edgecolor=edge, linewidth=1.0,
        )
    )  # fmt: skip
    axes.text(
        x + 0.12 if left else x + width / 2, y + height / 2, "\n".join(lines),
        ha="left" if left else "center", va="center", size=8, linespacing=1.35,
        color=style.SOFT if grey else style.INK, weight="bold" if bold else "normal",
    )  # fmt: skip


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate(
        "", xy=end, xytext=start,
        arrowprops={"arrowstyle": "-|>", "color": style.SOFT, "linewidth": 0.9,
                    "shrinkA": 0, "shrinkB": 0},
    )  # fmt: skip

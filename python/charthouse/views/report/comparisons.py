"""Paired differences between arms: a forest, question by question."""

from collections.abc import Iterator, Sequence

from charthouse.jobs.evaluate.comparisons import SIGNIFICANT
from charthouse.jobs.evaluate.scored import POPULATIONS
from charthouse.views.report import style
from charthouse.views.report.read import Row, TaskResults
from charthouse.views.report.rows import (
    limits_of,
    note,
    prepare,
    stack,
    whisker,
    without_interval,
    write_labels,
)
from charthouse.views.report.style import Sheet

MOST_ROWS = 30  # on one sheet

_LABELS, _PANEL, _FIGURES, _ROW = 3.3, 1.7, 1.85, 0.33  # inches
_WIDE = 54


def comparison_pictures(results: TaskResults) -> list[Sheet]:
    """As many sheets as the pairs fill."""
    pairs: dict[tuple, dict[str, Row]] = {}
    names = ("question", "arm", "fusion", "other_arm", "other_fusion")
    for row in results.comparisons:
        pairs.setdefault(tuple(row[name] for name in names), {})[row["population"]] = row
    by_question: dict[str, list[dict[str, Row]]] = {}
    for (question, _, fusion, *_), pair in pairs.items():
        by_question.setdefault(asked_under(question, fusion, results.fusion), []).append(pair)
    sheets = list(_pages(by_question))
    return [
        _sheet(results, groups, f", sheet {at + 1} of {len(sheets)}" if len(sheets) > 1 else "")
        for at, groups in enumerate(sheets)
    ]


def _pages(
    by_question: dict[str, list[dict[str, Row]]],
) -> Iterator[list[tuple[str, list[dict[str, Row]]]]]:
    page: list[tuple[str, list[dict[str, Row]]]] = []
    room = MOST_ROWS
    for question, pairs in by_question.items():
        if page and len(pairs) > room:
            yield page
            page, room = [], MOST_ROWS
        for start in range(0, len(pairs), MOST_ROWS):
            if start:
                yield page
                page, room = [], MOST_ROWS
            some = pairs[start : start + MOST_ROWS]
            page.append((f"{question} (continued)" if start else question, some))
            room -= len(some)
    if page:
        yield page


def _sheet(
    results: TaskResults, groups: Sequence[tuple[str, Sequence[dict[str, Row]]]], which: str
) -> Sheet:
    stacked = stack([(f"{name[0].upper()}{name[1:]}", pairs) for name, pairs in groups])
    height = stacked.height * _ROW
    sheet = Sheet(
        _LABELS + len(POPULATIONS) * (_PANEL + _FIGURES) + 0.1,
        height + 1.2,
        title=f"Differences of AUROC, {results.task}{which}",
        footer=style.footer(results, "AUROC is the primary metric; same stays and resamples for"
                            " both arms; p corrected within a question and fusion (Holm)"),
        kind=results.cohort.data_kind,
    )  # fmt: skip
    sheet.legend(
        [
            style.key(f"significant after Holm correction (p < {SIGNIFICANT})", style.BLUE),
            style.key("not", style.BLUE, hollow=True),
        ],
        0.0,
    )
    sheet.warn(
        without_interval(
            (row["difference"], row["ci_low"], row["reason"])
            for _, pair in stacked.rows
            for row in pair.values()
        ),
        0.19,
    )
    labels = [
        pair_label(next(iter(pair.values())), several_fusions=results.several_fusions)
        for _, pair in stacked.rows
    ]
    for side, population in enumerate(POPULATIONS):
        axes = sheet.axes(_LABELS + side * (_PANEL + _FIGURES), 0.6, _PANEL, height)
        rows = [(y, pair[population]) for y, pair in stacked.rows if population in pair]
        ends = [row[name] for _, row in rows for name in ("difference", "ci_low", "ci_high")]
        title = f"AUROC difference, {style.POPULATIONS[population]}"
        prepare(axes, stacked, title, limits_of([0.0, *ends]))
        axes.axvline(0, color=style.SOFT, linewidth=0.9, zorder=1)
        axes.set_xlabel("right of 0: the first is better")
        for y, row in rows:
            if row["difference"] is None:
                note(axes, y, row["reason"] or "no value")
                continue
            sure = row["p_adjusted"] is not None and row["p_adjusted"] < SIGNIFICANT
            interval = row["difference"], row["ci_low"], row["ci_high"]
            whisker(axes, y, interval, style.BLUE, filled=sure)
            axes.text(
                1.03, y, _figures(row), transform=axes.get_yaxis_transform(), va="center",
                size=style.SMALL, color=style.INK if sure else style.SOFT,
            )  # fmt: skip
        if not side:
            write_labels(axes, stacked, labels, size=7.2)
    return sheet


def asked_under(question: str, fusion: str, default_fusion: str | None) -> str:
    """The question, and the fusion that it is asked under where that is not the default."""
    if fusion == default_fusion or question == "fusion":
        return question
    return f"{question}, by {fusion}"


def pair_label(row: Row, *, several_fusions: bool) -> str:
    """What differs on the first line, what is common to both on the second."""
    arm, other = (row[name].split("+") for name in ("arm", "other_arm"))
    common = "+".join(part for part in arm if part in other)
    first, second = ([part for part in one if part not in two] for one, two in
                     [(arm, other), (other, arm)])  # fmt: skip
    by = row["fusion"] if several_fusions else ""
    if not first and not second:
        top, below = f"{row['fusion']} {style.MINUS} {row['other_fusion']}", row["arm"]
    elif not second:
        top, below = f"+{'+'.join(first)}", " ".join(filter(None, (f"to {common}", by)))
    elif len(first) == len(second) == 1 and _slot(first[0]) == _slot(second[0]):
        slot = _slot(first[0])
        encoders = [part.removeprefix(f"{slot}[").removesuffix("]") for part in first + second]
        top = f"{encoders[0]} {style.MINUS} {encoders[1]}"
        below = " ".join(filter(None, (slot, f"with {common}" if common else "", by)))
    else:
        top = f"{'+'.join(first)} {style.MINUS} {'+'.join(second)}"
        below = " ".join(filter(None, (f"with {common}" if common else "", by)))
    return "\n".join(style.shortened(line, _WIDE) for line in (top, below) if line)


def _slot(part: str) -> str:
    return part.partition("[")[0]


def _figures(row: Row) -> str:
    """Difference, interval and p in a few characters."""
    interval = (
        "no interval" if row["ci_low"] is None else f"[{row['ci_low']:+.3f}, {row['ci_high']:+.3f}]"
    )
    p = "" if row["p_adjusted"] is None else f"  p {row['p_adjusted']:.3f}"
    return f"{row['difference']:+.3f} {interval}{p}".replace("-", style.MINUS)

"""Figure 5: what share each modality has in what moves the scores."""

from matplotlib.axes import Axes
from matplotlib.patches import Patch

from charthouse.jobs.evaluate.scored import POPULATIONS
from charthouse.views.report import style
from charthouse.views.report.read import Row, TaskResults
from charthouse.views.report.rows import note, prepare, row_height, stack, write_labels
from charthouse.views.report.style import Sheet

METHODS = ("net", "absolute")
"""Those of reports.contributions; the first leads."""

_LABELS, _PANEL, _BETWEEN, _GAP = 3.1, 3.1, 0.3, 0.8  # inches
_WORTH_A_NUMBER = 0.06


def share_picture(results: TaskResults) -> Sheet:
    """Panels: method down, population across; rows: arms, most modalities last."""
    shares: dict[tuple[str, str, str], dict[str, Row]] = {}
    labels: dict[str, str] = {}
    titles = {row["method"]: row["method_label"] for row in results.contributions}
    for row in results.contributions:
        key = row["run_id"], row["population"], row["method"]
        shares.setdefault(key, {})[row["modality"]] = row
        labels[row["run_id"]] = results.label(row)
    order = sorted(labels, key=lambda run: (labels[run].count("+"), labels[run]))
    colours = {
        name: colour
        for name, colour in style.modality_colours(results.cohort.modalities).items()
        if any(name in of for of in shares.values())
    }
    stacked = stack([("", order)], 0.0)
    words = [style.wrapped(labels[run], 40) for run in order]
    height = stacked.height * row_height(words)
    reasons = sorted({row["reason"] for row in results.contributions if row["reason"]})
    without = [f"some have no interval: {'; '.join(reasons)}"] if reasons else []
    sheet = Sheet(
        _LABELS + len(POPULATIONS) * (_PANEL + _BETWEEN),
        2 * (height + _GAP) + 0.35,
        title=f"What moves the scores: shares of the modalities, {results.task}",
        footer=style.footer(results, "bars are point estimates, the shares' intervals are in"
                            " reports.contributions", *without),
        kind=results.cohort.data_kind,
    )  # fmt: skip
    sheet.legend(
        [Patch(color=colour, label=name.replace("_", " ")) for name, colour in colours.items()],
        0.0,
    )
    for down, method in enumerate(METHODS):
        for side, population in enumerate(POPULATIONS):
            axes = sheet.axes(
                _LABELS + side * (_PANEL + _BETWEEN), 0.5 + down * (height + _GAP), _PANEL, height
            )
            n = results.counts[population].n
            title = style.wrapped(titles.get(method, method), 44)
            name = f"{title}\n{style.POPULATIONS[population]} (n {n:,})"
            prepare(axes, stacked, name, (0, 1))
            for y, run in stacked.rows:
                _bar(axes, y, shares.get((run, population, method), {}), colours)
            if not side:
                write_labels(axes, stacked, words)
    return sheet


def _bar(axes: Axes, y: float, of: dict[str, Row], colours: dict[str, str]) -> None:
    if not of:
        note(axes, y, "no shares")
    start = 0.0
    for name, colour in colours.items():
        if name not in of:
            continue
        share = of[name]["share"]
        axes.barh(y, share, left=start, height=0.66, color=colour)
        if share >= _WORTH_A_NUMBER:
            dark = colour == style.BLUE
            axes.text(
                start + share / 2, y, f"{share:.0%}", ha="center", va="center",
                size=style.SMALL, color="white" if dark else style.INK,
            )  # fmt: skip
        start += share

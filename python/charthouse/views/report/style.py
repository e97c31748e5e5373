"""How every picture looks: fonts, colours, title, footer, what kind of data it is of."""

import io
import itertools
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from charthouse.core.data_kind import DataKind, tag
from charthouse.jobs.evaluate.scored import ALL, COMPLETE, CXR_YEARS
from charthouse.models.fusions.block import PRESENCE
from charthouse.views.report.read import CohortFacts, TaskResults

DPI = 160
INK, SOFT, FAINT = "#222222", "#666666", "#dddddd"
WARNING = "#b3261e"
# Okabe and Ito's colours, which the colour-blind can tell apart; each has its marker besides
BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"
)  # fmt: skip
ARM_STYLES = list(
    zip((BLUE, ORANGE, GREEN, PURPLE, VERMILLION, SKY), ("o", "s", "D", "^", "v", "P"), strict=True)
)
POPULATIONS = {ALL: "all stays", COMPLETE: "complete cases", CXR_YEARS: "MIMIC-CXR years"}

SETTINGS: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same everywhere
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8,
    "axes.edgecolor": SOFT,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "text.color": INK,
    "text.parse_math": False,  # a dollar is a dollar
    "legend.frameon": False,
    "legend.fontsize": 8,
    "savefig.facecolor": "white",
}
SMALL = 6.8
MINUS = "\N{MINUS SIGN}"


def modality_colours(modalities: Sequence[str]) -> dict[str, str]:
    """Of each modality, in the order of marts.modalities, and of presence: the same everywhere."""
    measured = [name for name in modalities if name != "demographics"]
    palette = itertools.cycle((BLUE, ORANGE, GREEN, VERMILLION, SKY))
    colours = dict(zip(measured, palette, strict=False))
    return {"demographics": "#999999", **colours, PRESENCE: PURPLE}


_MARGIN = 0.2  # inches, as all below
_TITLE_LINE, _FOOTER_LINE = 0.2, 0.125
_TAG_WIDTH = 1.5


@contextmanager
def applied() -> Iterator[None]:
    """Our settings, whatever the user's matplotlibrc says; theirs are back afterwards."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)  # type: ignore[arg-type]
        yield


def footer(results: TaskResults, *more: str) -> str:
    """What a picture of a task is of: enough to find its numbers again."""
    counts = results.counts
    resamples = " or ".join(
        f"{n:,}" for n in sorted({run["n_bootstrap"] for run in results.evaluations})
    )
    parts = [
        *_kind(results.cohort),
        f"task {results.task}",
        *_of_cohort(results.cohort),
        "; ".join(
            [f"test split: {counts[ALL]}"]
            + [f"{POPULATIONS[name]}: {counts[name]}" for name in (COMPLETE, CXR_YEARS)]
        ),
        f"intervals: 95 %, {resamples} resamples of the patients",
        *more,
        ", ".join(run["run_id"] for run in results.evaluations),
    ]
    return " · ".join(part for part in parts if part)


def cohort_footer(cohort: CohortFacts) -> str:
    """What a picture of the cohort is of."""
    facts = [*_kind(cohort), *_of_cohort(cohort)]
    return " · ".join([*facts, "counts, without intervals", "marts.cohort_attrition"])


def _kind(cohort: CohortFacts) -> list[str]:
    words = {
        "synthetic": "SYNTHETIC data, no real patient",
        "open": f"OPEN DATA: {cohort.data_source}",
    }
    return [words[cohort.data_kind]] if cohort.data_kind in words else []


def _of_cohort(cohort: CohortFacts) -> list[str]:
    return [f"cohort {cohort.cohort_hash[:12]}", f"protocol {cohort.protocol}"]


class Sheet:
    """A figure with a title above its body and a footer below; all measures are inches."""

    def __init__(
        self, width: float, body: float, *, title: str, footer: str, kind: DataKind
    ) -> None:
        mark = tag(kind)
        room = width - 2 * _MARGIN - (_TAG_WIDTH if mark else 0)
        titles = textwrap.wrap(title, int(room * 10.5))
        lines = textwrap.wrap(footer, int((width - 2 * _MARGIN) * 20), break_on_hyphens=False)
        self._top = _MARGIN + _TITLE_LINE * len(titles) + 0.12
        self._height = self._top + body + _FOOTER_LINE * len(lines) + _MARGIN + 0.1
        self._width = width
        self.figure = Figure(figsize=(width, self._height), dpi=DPI)
        FigureCanvasAgg(self.figure)
        self.text(_MARGIN, _MARGIN - self._top, "\n".join(titles), size=11, weight="bold")
        self.figure.add_artist(
            Line2D([_MARGIN / width, 1 - _MARGIN / width], [self._y(body + 0.06)] * 2,
                   color=FAINT, linewidth=0.8)
        )  # fmt: skip
        self.text(_MARGIN, body + 0.12, "\n".join(lines), size=SMALL, color=SOFT, linespacing=1.3)
        if mark:
            colour = WARNING if kind == "synthetic" else SOFT
            self.text(
                width - _MARGIN - 0.06, _MARGIN + 0.02 - self._top, mark, size=8,
                weight="bold", color="white", ha="right",
                bbox={"facecolor": colour, "edgecolor": "none", "pad": 3.5},
            )  # fmt: skip

    def _y(self, down: float) -> float:
        return 1 - (self._top + down) / self._height

    def axes(self, left: float, down: float, width: float, height: float) -> Axes:
        """New axes, their upper left corner at (left, down) of the body."""
        return self.figure.add_axes((
            left / self._width, self._y(down + height), width / self._width, height / self._height
        ))  # fmt: skip

    def text(self, left: float, down: float, words: str, **look: Any) -> None:
        """Writes, upper left corner at (left, down) of the body unless told otherwise."""
        placed = {"va": "top"} | look
        self.figure.text(left / self._width, self._y(down), words, **placed)

    def warn(self, words: str | None, down: float) -> None:
        """One line that must not be overlooked, if there is anything to say."""
        if words:
            self.text(_MARGIN, down, words, size=SMALL + 0.4, color=WARNING, weight="bold")

    def legend(self, handles: Sequence[Artist], down: float, left: float = _MARGIN) -> None:
        """One line of keys, from (left, down) on."""
        self.figure.legend(
            handles=handles, loc="upper left", ncols=len(handles), borderaxespad=0, borderpad=0,
            bbox_to_anchor=(left / self._width, self._y(down)),
            handletextpad=0.5, columnspacing=1.6,
        )  # fmt: skip

    def png(self) -> bytes:
        """The same picture is the same bytes: nothing of the time or of the program is in it."""
        with io.BytesIO() as file:
            self.figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})
            return file.getvalue()


def wrapped(name: str, width: int) -> str:
    """An arm's name on as many lines as it takes, broken before a plus sign where that does."""
    lines: list[str] = []
    for part in (f"+{part}" for part in name.split("+")):
        if lines and len(lines[-1]) + len(part) <= width:
            lines[-1] += part
        else:
            lines.append(part)
    lines[0] = lines[0][1:]
    return "\n".join(line for long in lines for line in textwrap.wrap(long, width))


def shortened(words: str, most: int) -> str:
    """No longer than so many characters: the middle goes, the ends say most."""
    half = (most - 1) // 2
    return words if len(words) <= most else f"{words[:half]}…{words[-half:]}"


def wrapped_words(words: str, width: int) -> list[str]:
    """Lines of plain words."""
    return textwrap.wrap(words, width)


def key(label: str, colour: str, marker: str = "o", *, hollow: bool = False) -> Line2D:
    """An entry of a legend."""
    return Line2D(
        [], [], color=colour, marker=marker, linewidth=1.2, markersize=5, label=label,
        markerfacecolor="white" if hollow else colour,
    )  # fmt: skip

"""Rows of estimates under headings: what leaderboard, forest and subgroups have in common."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import blended_transform_factory

from charthouse.views.report import style

T = TypeVar("T")

HEADING = 0.75  # height of a heading, and the gap above it, in rows
GAP = 0.35
MOST_REASONS = 3


@dataclass(frozen=True)
class Stack(Generic[T]):
    """Where each row stands, counted downwards; a row is 1 high."""

    headings: Sequence[tuple[float, str]]
    rows: Sequence[tuple[float, T]]
    height: float


def stack(groups: Iterable[tuple[str, Sequence[T]]], heading: float = HEADING) -> Stack[T]:
    """Places the rows of each group below its heading."""
    headings, placed, y = [], [], 0.0
    for name, members in groups:
        headings.append((y + heading / 2, name))
        y += heading
        for member in members:
            placed.append((y + 0.5, member))
            y += 1
        y += GAP
    return Stack(headings, placed, max(y - GAP, 1.0))


def prepare(axes: Axes, stacked: Stack, title: str, limits: tuple[float, float]) -> None:
    """An empty panel with a faint line through each row."""
    axes.set_ylim(stacked.height, 0)
    axes.set_xlim(*limits)
    axes.set_yticks([])
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.spines["left"].set_visible(False)
    axes.set_title(title, loc="left")
    axes.grid(axis="x", color=style.FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    for y, _ in stacked.rows:
        axes.axhline(y, color="#eeeeee", linewidth=0.6, zorder=0)


def write_labels(axes: Axes, stacked: Stack, labels: Sequence[str], size: float = 7.5) -> None:
    """Headings and labels along the left edge of the picture, beside its first panel."""
    width = axes.figure.get_window_extent().width / axes.figure.dpi
    place = blended_transform_factory(axes.figure.transFigure, axes.transData)
    for y, words in stacked.headings:
        axes.text(0.2 / width, y, words, transform=place, va="center", weight="bold", size=8)
    for (y, _), words in zip(stacked.rows, labels, strict=True):
        axes.text(0.32 / width, y, words, transform=place, va="center", size=size, linespacing=1.1)


def row_height(labels: Sequence[str]) -> float:
    """Inches that a row needs for its label."""
    lines = max((label.count("\n") + 1 for label in labels), default=1)
    return 0.31 + 0.12 * max(0, lines - 2)


def whisker(
    axes: Axes,
    y: float,
    estimate: tuple[float | None, float | None, float | None],
    colour: str,
    marker: str = "o",
    *,
    filled: bool = True,
    size: float = 5,
) -> None:
    """A dot with its interval; a cross where there is none; nothing where there is no value."""
    value, low, high = estimate
    if value is None:
        return
    if low is not None and high is not None:
        axes.plot([low, high], [y, y], color=colour, linewidth=1.3, solid_capstyle="butt")
    else:
        marker = "x"
    axes.plot(
        [value], [y], marker=marker, markersize=size, color=colour, linestyle="none",
        markerfacecolor=colour if filled else "white", markeredgewidth=1.1, clip_on=False,
        zorder=3,
    )  # fmt: skip


def without_interval(
    estimates: Iterable[tuple[float | None, float | None, str | None]],
) -> str | None:
    """What the crosses are, and why; None where every value has its interval.

    Args:
        estimates: Value, lower end and reason of each.
    """
    reasons = {
        reason or "too few resamples"
        for value, low, reason in estimates
        if value is not None and low is None
    }
    if not reasons:
        return None
    named = "; ".join(sorted(reasons)[:MOST_REASONS]) + (
        "; ..." if len(reasons) > MOST_REASONS else ""
    )
    return f"\N{MULTIPLICATION SIGN} no interval, conclude nothing: {named}"


def note(axes: Axes, y: float, words: str, colour: str = style.SOFT) -> None:
    """Says in the row why it has no estimate; white behind, so that no grid line strikes it."""
    axes.text(
        0.01, y, words, transform=axes.get_yaxis_transform(), va="center", size=style.SMALL,
        style="italic", color=colour,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
    )  # fmt: skip


def limits_of(
    numbers: Iterable[float | None], *, within: tuple[float, float] | None = None
) -> tuple[float, float]:
    """From the lowest to the highest, with some air."""
    known = [number for number in numbers if number is not None] or [0.0, 1.0]
    low, high = min(known), max(known)
    air = max((high - low) * 0.06, 0.01)
    if within is None:
        return low - air, high + air
    return max(within[0], low - air), min(within[1], high + air)

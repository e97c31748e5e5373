"""ROC, precision-recall and calibration of a few arms, with their bands."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes

from charthouse.jobs.evaluate.scored import ALL
from charthouse.views.report import style
from charthouse.views.report.read import Row, TaskResults
from charthouse.views.report.style import Sheet

ROC, PRECISION_RECALL, CALIBRATION = "roc", "precision_recall", "calibration"
TITLES = {ROC: "ROC", PRECISION_RECALL: "Precision and recall", CALIBRATION: "Calibration"}
AXES = {
    ROC: ("false positive rate", "true positive rate"),
    PRECISION_RECALL: ("recall", "precision"),
    CALIBRATION: ("mean score of the bin", "observed share"),
}

_STEPS: dict[str, Any] = {ROC: "default", PRECISION_RECALL: "steps-pre"}
"""A straight line between precisions would be too high (statistics/curves.py)."""

_LEFT, _SIDE, _ACROSS, _DOWN = 0.65, 2.75, 0.6, 0.85  # inches


def curve_picture(results: TaskResults, arms: Sequence[Row]) -> Sheet:
    """A row of panels for each arm; the other arms' curves in grey behind."""
    points: dict[tuple[str, str], list[Row]] = {}
    for row in results.curves:
        points.setdefault((row["run_id"], row["curve"]), []).append(row)
    most = max(
        (row[name] or 0.0 for (run, curve), rows in points.items() if curve == CALIBRATION
         and any(run == arm["run_id"] for arm in arms)
         for row in rows for name in ("x", "y", "ci_high")),
        default=1.0,
    )  # fmt: skip
    sheet = Sheet(
        _LEFT + 3 * (_SIDE + _ACROSS),
        len(arms) * (_SIDE + _DOWN),
        title=f"Curves, {results.task}",
        footer=style.footer(
            results,
            "bands are pointwise; grey: the other arms",
            ", ".join(arm["run_id"] for arm in arms),
        ),
        kind=results.cohort.data_kind,
    )
    for down, arm in enumerate(arms):
        top = down * (_SIDE + _DOWN)
        sheet.text(0.2, top + 0.02, arm["arm"], size=8.5, weight="bold")
        for across, curve in enumerate(TITLES):
            axes = sheet.axes(_LEFT + across * (_SIDE + _ACROSS), top + 0.42, _SIDE, _SIDE - 0.2)
            _frame(axes, curve, results, min(1.0, most * 1.06))
            for other in arms:
                if other is not arm and curve != CALIBRATION:
                    x, y = _line(curve, points.get((other["run_id"], curve), []))
                    axes.plot(
                        x, y, color="#bbbbbb", linewidth=0.9, zorder=1, drawstyle=_STEPS[curve]
                    )
            colour, marker = style.ARM_STYLES[down]
            own = points.get((arm["run_id"], curve), [])
            _draw(axes, curve, own, colour, marker)
            if not any(row["y"] is not None for row in own):
                why = next((row["reason"] for row in own if row["reason"]), "no value")
                axes.text(0.5, 0.5, f"no curve: {why}", transform=axes.transAxes, ha="center",
                          style="italic", color=style.SOFT, size=style.SMALL,
                          bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})  # fmt: skip
    return sheet


def _frame(axes: Axes, curve: str, results: TaskResults, most: float) -> None:
    """Scales, and what a model without skill would do."""
    end = most if curve == CALIBRATION else 1.0
    air = 0.015 * end
    axes.set_xlim(-air, end + air)
    axes.set_ylim(-air, end + air)
    axes.set_title(TITLES[curve], loc="left")
    axes.set_xlabel(AXES[curve][0])
    axes.set_ylabel(AXES[curve][1])
    axes.grid(color="#eeeeee", linewidth=0.5)
    axes.set_axisbelow(True)
    dashes: dict[str, Any] = {
        "color": style.SOFT,
        "linewidth": 0.8,
        "linestyle": (0, (4, 3)),
        "zorder": 1,
    }
    if curve != PRECISION_RECALL:
        axes.plot([0, end], [0, end], **dashes)
        return
    counts = results.counts[ALL]
    prevalence = counts.n_positive / max(counts.n, 1)
    axes.axhline(prevalence, **dashes)
    axes.text(1.0, prevalence - 0.015, f"prevalence {prevalence:.2f}", ha="right", va="top",
              size=style.SMALL, color=style.SOFT)  # fmt: skip


def _draw(axes: Axes, curve: str, rows: Sequence[Row], colour: str, marker: str) -> None:
    banded = [row for row in rows if row["ci_low"] is not None]
    if not banded and (why := next((row["reason"] for row in rows if row["y"] is not None), None)):
        words = "\n".join(style.wrapped_words(f"no band: {why}", 42))
        axes.text(0.98, 0.1, words, transform=axes.transAxes, ha="right", size=style.SMALL,
                  weight="bold", color=style.WARNING)  # fmt: skip
    x = [row["x"] for row in banded]
    low, high = ([row[name] for row in banded] for name in ("ci_low", "ci_high"))
    if curve == CALIBRATION:
        axes.vlines(x, low, high, color=colour, linewidth=1.1)
        known = [row for row in rows if row["y"] is not None]
        axes.plot([row["x"] for row in known], [row["y"] for row in known], color=colour,
                  marker=marker, markersize=4.5, linewidth=0.9)  # fmt: skip
        axes.text(0.98, 0.03, _bins([row["n"] for row in rows]), transform=axes.transAxes,
                  ha="right", size=style.SMALL, color=style.SOFT)  # fmt: skip
        return
    step: Any = "pre" if curve == PRECISION_RECALL else None
    axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0, step=step)
    line = _line(curve, rows)
    axes.plot(*line, color=colour, linewidth=1.5, zorder=3, drawstyle=_STEPS[curve])


def _line(curve: str, rows: Sequence[Row]) -> tuple[list[float], list[float]]:
    """What is drawn: at 0 the ROC has its upper end, and it starts at (0, 0)."""
    known = [row for row in rows if row["y"] is not None]
    start = [0.0] if curve == ROC and known else []
    return start + [row["x"] for row in known], start + [row["y"] for row in known]


def _bins(n: Sequence[int]) -> str:
    """How many stays are in each bin, in few words."""
    if len(set(n)) <= 1:
        return f"{n[0]:,} stays in each of {len(n)} bins" if n else ""
    words = style.wrapped_words("stays by bin: " + ", ".join(f"{each:,}" for each in n), 42)
    return "\n".join(words)

"""Tables II and III as a picture: each arm's AUROC and AUPRC, the published ones beside them."""

from collections.abc import Sequence

from charthouse.jobs.evaluate.scored import ALL, POPULATIONS
from charthouse.views.report import style
from charthouse.views.report.read import Row, TaskResults
from charthouse.views.report.rows import (
    limits_of,
    note,
    prepare,
    row_height,
    stack,
    whisker,
    without_interval,
    write_labels,
)
from charthouse.views.report.style import Sheet

PURPOSES = {
    "paper": "Arms of the paper",
    "classical": "Classical",
    "honest": "Honest baselines",
    "other": "Asked for by name",
}
METRICS = {"auroc": "AUROC", "auprc": "AUPRC"}

_LABELS, _PANEL, _BETWEEN = 3.1, 1.7, 0.3  # inches
OURS, PUBLISHED = style.BLUE, style.VERMILLION


def leaderboard_picture(results: TaskResults) -> Sheet:
    """Rows: arms by purpose, best first; panels: metric and population."""
    of_all = [row for row in results.leaderboard if row["population"] == ALL]
    by_run = {(row["run_id"], row["population"]): row for row in results.leaderboard}
    stacked = stack(
        [
            (title, members)
            for purpose, title in PURPOSES.items()
            if (members := _best_first(of_all, purpose))
        ]
    )
    published = any(row["published_auroc_value"] is not None for row in of_all)
    labels = [style.wrapped(results.label(row), 40) for _, row in stacked.rows]
    height = stacked.height * row_height(labels)
    sheet = Sheet(
        _LABELS + len(METRICS) * len(POPULATIONS) * (_PANEL + _BETWEEN) + 0.15,
        height + 1.0,
        title=f"Leaderboard, {results.task}",
        footer=style.footer(results),
        kind=results.cohort.data_kind,
    )
    keys = [style.key("ours, 95 % interval", OURS)]
    if published:
        keys.append(style.key("published (real MIMIC-IV)", PUBLISHED, hollow=True))
    sheet.legend(keys, 0.0)
    sheet.warn(
        without_interval(
            (row[f"{metric}_value"], row[f"{metric}_low"], row[f"{metric}_reason"])
            for row in results.leaderboard
            for metric in METRICS
        ),
        0.19,
    )
    for place, (metric, name) in enumerate(METRICS.items()):
        limits = limits_of(
            [
                row[f"{of}{metric}_{part}"]
                for row in results.leaderboard
                for of in ("", "published_")
                for part in ("value", "low", "high")
            ],
            within=(-0.02, 1.02),
        )
        for side, population in enumerate(POPULATIONS):
            left = _LABELS + (len(POPULATIONS) * place + side) * (_PANEL + _BETWEEN)
            axes = sheet.axes(left, 0.6, _PANEL, height)
            counts = results.counts[population]
            prepare(axes, stacked, f"{name}, {style.POPULATIONS[population]}", limits)
            chance = counts.n_positive / max(counts.n, 1) if metric == "auprc" else 0.5
            axes.axvline(chance, color=style.SOFT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
            for y, row in stacked.rows:
                mine = row if population == ALL else by_run.get((row["run_id"], population))
                has_both = population == ALL and row[f"published_{metric}_value"] is not None
                if has_both:
                    apart = 0.17 if row["run_id"] else 0
                    whisker(axes, y + apart, _of(row, f"published_{metric}"), PUBLISHED,
                            filled=False, size=4.5)  # fmt: skip
                if mine and mine["run_id"]:
                    whisker(axes, y - (0.17 if has_both else 0), _of(mine, metric), OURS)
                    if mine[f"{metric}_value"] is None:
                        note(axes, y, mine[f"{metric}_reason"] or "no value")
            if not place and not side:
                write_labels(axes, stacked, labels)
    return sheet


def _best_first(rows: Sequence[Row], purpose: str) -> list[Row]:
    """Those of a purpose as they come, by value; those that were only published last."""
    of_purpose = [row for row in rows if row["purpose"] == purpose]
    return sorted(of_purpose, key=lambda row: row["run_id"] is None)


def _of(row: Row, metric: str) -> tuple[float | None, float | None, float | None]:
    return row[f"{metric}_value"], row[f"{metric}_low"], row[f"{metric}_high"]

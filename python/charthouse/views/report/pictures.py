"""What the report draws, with the words below each picture; and why a picture is not there."""

import re
from collections.abc import Iterator, Sequence

import pandas as pd

from charthouse.jobs.evaluate.scored import ALL, COMPLETE, CXR_YEARS
from charthouse.views.figures import style
from charthouse.views.figures.attrition import attrition
from charthouse.views.figures.comparisons import comparisons
from charthouse.views.figures.curves import curves
from charthouse.views.figures.leaderboard import leaderboard
from charthouse.views.figures.learners import beside_best_arm
from charthouse.views.figures.rows import Figure
from charthouse.views.figures.shares import METHODS, shares
from charthouse.views.figures.sheet import png, sheet
from charthouse.views.figures.subgroups import fairness, subgroups
from charthouse.views.figures.words import asked_under, pair_label, worded
from charthouse.views.report.choose import chosen
from charthouse.views.report.page import Picture, TaskPart
from charthouse.views.report.read import MOST_GROUPS, CohortFacts, Row, TaskResults

SAFE = r"[^\w-]"
"""What is not in a file's name."""

MOST_ROWS = 30
"""Of comparisons, in one picture."""

Drawn = tuple[str, str, Figure, Sequence[str], str]
"""Name of the file, title, figure, what else its footer says, and what to read off it."""


def attrition_picture(cohort: CohortFacts) -> Picture:
    """How the cohort came to be."""
    by_split: dict[str, list[str]] = {}
    for row in cohort.positives:
        words = f"{row['n_positive']:,} positive, {row['task']}"
        by_split.setdefault(row["split"], []).append(words)
    splits = [
        [f"{row['split']}: {row['stays']:,} stays", f"{row['patients']:,} patients",
         *by_split.get(row["split"], [])]
        for row in cohort.splits
    ]  # fmt: skip
    title = "From all ICU stays to the cohort and its splits"
    drawn = sheet(
        attrition(cohort.attrition, splits), title=title, footer=cohort_footer(cohort),
        kind=cohort.data_kind,
    )  # fmt: skip
    all_stays, left = cohort.attrition[0], cohort.attrition[-1]
    return Picture(
        "attrition.png",
        png(drawn),
        f"Flow diagram: {all_stays['stays']:,} ICU stays, {left['stays']:,} in the cohort, and its"
        " splits.",
        "Read from above: on the right what each rule asks and drops; a patient is dropped with"
        " the last stay of theirs.",
    )


def task_part(results: TaskResults, asked: Sequence[str]) -> TaskPart:
    """Pictures of a task.

    Args:
        results: What there is.
        asked: Arms to draw where only a few can be; none: chosen on validation.
    """
    pictures, absent = [], []
    for found in figures(results, chosen(results, asked)):
        if isinstance(found, str):
            absent.append(found)
            continue
        name, title, figure, more, words = found
        drawn = sheet(
            figure, title=f"{title}, {results.task}", footer=footer(results, *more),
            kind=results.cohort.data_kind,
        )  # fmt: skip
        file = f"{name}-{re.sub(SAFE, '_', results.task)}.png"
        alt = f"{words.split(':')[0]}, task {results.task}."
        pictures.append(Picture(file, png(drawn), alt, words))
    if names := not_drawn(results):
        absent.append(
            f"Too many groups to draw: {', '.join(names)}; they are in reports.subgroups."
        )
    return TaskPart(results, pictures, absent)


def figures(results: TaskResults, few: Sequence[Row]) -> Iterator[Drawn | str]:
    """All of a task, or why one is not there; `few` are the arms that are drawn by name."""
    yield (
        "leaderboard", "Leaderboard",
        leaderboard(pd.DataFrame(results.leaderboard),
                    [(metric, name) for metric in ("auroc", "auprc") for name in style.POPULATIONS],
                    width=150), (),
        "AUROC and AUPRC of every arm: arms whose whiskers overlap widely are not told apart here,"
        " nor is one without a whisker told apart from anything, the paper's figures included; the"
        " dashed line is chance. A stay of the MIMIC-CXR years could have had an X-ray.",
    )  # fmt: skip
    yield from _comparisons(results)
    yield from _subgroups(results, few)
    yield _shares(results)
    names = {arm["run_id"]: arm["arm"] for arm in few}
    found = pd.DataFrame(results.curves)
    if len(found) and found["run_id"].isin(names).any():
        arms = {run: name for run, name in names.items() if run in set(found["run_id"])}
        counts = results.counts[ALL]
        yield (
            "curves", "Curves",
            curves(found, arms, style.series_of(list(arms.values())),
                   counts.n_positive / max(counts.n, 1)),
            ("bands are pointwise; grey: the other arms", ", ".join(arms)),
            "ROC, precision-recall and calibration curves with their 95 % bands: calibration is"
            " good where the points lie on the diagonal.",
        )  # fmt: skip
    else:
        yield "No curves: reports.curves has none of these arms."
    yield from _learners(results)


def _learners(results: TaskResults) -> Iterator[Drawn | str]:
    found = pd.DataFrame(results.learners)
    if found.empty:
        yield (
            "No learners (Figures 6 and 7 of the paper): none has been asked (charthouse ask,"
            " charthouse evaluate)."
        )
        return
    board = pd.DataFrame(results.leaderboard)
    best = board[board["run_id"].isin(found["best_arm_run_id"]) & (board["population"] == ALL)]
    stale = [] if found["is_current"].all() else ["more has been answered since"]
    yield (
        "learners", "Multimodal learners beside the best arm",
        beside_best_arm(found, best, ("accuracy_as_wrong", "auroc"), width=300), stale,
        "Multimodal learners beside the modular framework (Figure 6 of the paper): a refusal counts"
        " as wrong, and AUROC is of P(yes). The arm is shown on all test stays, a learner on those"
        " that it was asked about; both on the same stays are in reports.learner_comparisons.",
    )  # fmt: skip
    groups = pd.DataFrame(results.learner_groups)
    if len(groups):
        groups = groups[~groups["attribute"].isin(_too_many(results.learner_groups))]
    if groups.empty:
        yield "No learners by subgroup (Figure 7 of the paper): reports.learner_subgroups has none."
        return
    series = style.series_of(sorted(set(groups["learner"])))
    yield (
        "learner-subgroups", "Multimodal learners by subgroup",
        subgroups(groups.assign(series=groups["learner"]), "Accuracy, each refusal as wrong",
                  series, reference=None, width=560), stale,
        "Accuracy of multimodal learners by subgroup (Figure 7 of the paper): compare groups within"
        " one colour, each with the share of its larger class.",
    )  # fmt: skip


def _comparisons(results: TaskResults) -> Iterator[Drawn | str]:
    found = pd.DataFrame(results.comparisons)
    if found.empty:
        yield "No comparisons: no two of the evaluated arms differ in one thing only."
        return
    rows = found.to_dict("records")
    found = found.assign(
        group=[worded(asked_under(row["question"], row["fusion"], results.fusion)) for row in rows],
        label=[pair_label(row, several_fusions=results.several_fusions) for row in rows],
        pair=[tuple(row[name] for name in _PAIR) for row in rows],
    ).sort_values("group", kind="stable")
    pages = list(_pages(found[["group", "pair"]].drop_duplicates()))
    for at, pairs in enumerate(pages):
        several = len(pages) > 1
        which = f", sheet {at + 1} of {len(pages)}" if several else ""
        yield (
            f"comparisons-{at + 1}" if several else "comparisons", f"Differences of AUROC{which}",
            comparisons(found[found["pair"].isin(pairs)], "auroc", style.POPULATIONS, width=150),
            ("AUROC is the primary metric; same stays and resamples for both arms; p corrected"
             " within a question and fusion (Holm)",),
            "Paired differences of AUROC, the primary metric: only filled dots are significant"
            " after Holm correction for how many were asked. Other metrics are exploratory, and in"
            " reports.comparisons.",
        )  # fmt: skip


_PAIR = ("question", "arm", "fusion", "other_arm", "other_fusion")


def _pages(pairs: pd.DataFrame) -> Iterator[list[tuple]]:
    """Pairs of one picture: a question is broken only where it alone is too long."""
    page: list[tuple] = []
    for _, of_question in pairs.groupby("group", sort=False):
        more = list(of_question["pair"])
        if page and len(page) + len(more) > MOST_ROWS:
            yield page
            page = []
        page += more
        while len(page) > MOST_ROWS:
            yield page[:MOST_ROWS]
            page = page[MOST_ROWS:]
    yield page


def _subgroups(results: TaskResults, few: Sequence[Row]) -> Iterator[Drawn | str]:
    names = {arm["run_id"]: arm["arm"] for arm in few}
    series = style.series_of(list(names.values()))

    def of(rows: Sequence[Row]) -> pd.DataFrame:
        drawn = [row for row in rows if row["run_id"] in names and row["attribute"] in attributes]
        return pd.DataFrame([row | {"series": names[row["run_id"]]} for row in drawn])

    attributes = {row["attribute"] for row in results.subgroups} - set(not_drawn(results))
    found = of(results.subgroups)
    if found.empty:
        yield "No subgroups: reports.subgroups has none of these arms."
        return
    runs = ", ".join(names)
    smallest = " or ".join(
        str(n) for n in sorted({run["min_group"] for run in results.evaluations})
    )
    yield (
        "subgroups", "AUROC by subgroup",
        subgroups(found, "AUROC, all stays", series, reference=0.5, width=560),
        (f"no figure for fewer than {smallest} stays", runs),
        "AUROC by subgroup (Figure 4 of the paper): compare groups within one colour, and mind"
        " how few positive stays a group has.",
    )  # fmt: skip
    ratios = of(results.fairness)
    if len(ratios):
        yield (
            "fairness", "Fairness ratios", fairness(ratios, series, width=560), (runs,),
            "Fairness ratios: 1 is alike; an interval far left of 1 says that decisions or their"
            " errors differ between the groups.",
        )  # fmt: skip


def _shares(results: TaskResults) -> Drawn | str:
    found = pd.DataFrame(results.contributions)
    if found.empty:
        return "No shares of modalities: no logistic regression among the evaluated arms."
    found = found.assign(
        label=[results.label(row) for row in results.contributions],
        group=found["method_label"], panel=found["population"],
    ).sort_values("method", key=lambda names: names.map(METHODS.index), kind="stable")  # fmt: skip
    reasons = sorted(set(found["reason"].dropna()))
    without = [f"some have no interval: {'; '.join(reasons)}"] if reasons else []
    titles = {
        name: f"{words} (n {results.counts[name].n:,})" for name, words in style.POPULATIONS.items()
    }
    return (
        "shares", "What moves the scores: shares of the modalities",
        shares(found[["label", "group", "panel", "modality", "share"]],
               style.modality_colours(results.cohort.modalities), titles, width=290),
        ("bars are point estimates, the shares' intervals are in reports.contributions", *without),
        "Shares of the modalities in what moves the scores (Figure 5 of the paper): first by"
        " net contribution, what a modality moves as a whole. Compare all stays with complete"
        " cases, where no modality is absent, and with the years that MIMIC-CXR covers, where"
        " an X-ray is absent for no other reason than the patient's.",
    )  # fmt: skip


def not_drawn(results: TaskResults) -> list[str]:
    """Attributes with too many groups for a picture."""
    return _too_many(results.subgroups)


def _too_many(rows: Sequence[Row]) -> list[str]:
    groups: dict[str, set[str]] = {}
    for row in rows:
        groups.setdefault(row["attribute"], set()).add(row["subgroup"])
    return sorted(name for name, members in groups.items() if len(members) > MOST_GROUPS)


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
            + [f"{style.POPULATIONS[name]}: {counts[name]}" for name in (COMPLETE, CXR_YEARS)]
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

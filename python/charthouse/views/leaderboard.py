"""The leaderboard: as a table for a terminal, or as CSV or JSON for what comes after."""

import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap

import duckdb
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from charthouse.core.cohort import Cohort, read_cohort
from charthouse.core.errors import CharthouseError, require_known
from charthouse.core.warehouse import open_warehouse
from charthouse.jobs.evaluate.other_cohorts import nothing_evaluated

FORMATS = ("table", "csv", "json")
NARROWEST, WIDEST = 80, 100
"""Columns of the terminal: with fewer, numbers would be cut."""
ARM_WIDTH = 44
"""A longer arm goes on in a second line."""

SAW_MIMIC = {
    "yes": "*: an encoder of it was trained on MIMIC, so perhaps on these stays",
    "unknown": "?: whether an encoder of it was trained on MIMIC is not known",
}


def print_leaderboard(warehouse: Path, tasks: Sequence[str] = (), form: str = "table") -> None:
    """Prints reports.leaderboard: the metrics of each arm on the test split, a table a task.

    Args:
        warehouse: The DuckDB file.
        tasks: Which; none is all.
        form: One of FORMATS. The table shows AUROC and AUPRC on all stays; csv and json have every
            metric and population, by the columns of reports.leaderboard.

    Raises:
        CharthouseError: Nothing has been evaluated on the present cohort, no learner either; or a
            task or format is not known.
    """
    require_known("--format", form, FORMATS)
    with open_warehouse(warehouse) as db:
        cohort = read_cohort(db)
        for task in tasks:
            require_known("--task", task, cohort.tasks)
        try:
            rows = db.execute(
                "select * from reports.leaderboard where run_id is not null and task in"
                " (select unnest($1::varchar[])) order by task, population, auroc_value desc, arm,"
                " fusion",
                [list(tasks) or list(cohort.tasks)],
            ).df()
            learners = db.execute("select 1 from reports.learners limit 1").fetchall()
        except duckdb.CatalogException:
            raise CharthouseError(
                "The warehouse lacks reports.leaderboard. Run charthouse build."
            ) from None
        if rows.empty and not learners:
            raise CharthouseError(nothing_evaluated(db))
    if form == "csv":
        rows.to_csv(sys.stdout, index=False)
    elif form == "json":
        print(rows.to_json(orient="records", indent=1, double_precision=15))
    elif rows.empty:
        print("No arm has been evaluated: learners stand in reports.learners.")
    else:
        _print_tables(rows[rows["population"] == "all"], cohort)


def _print_tables(rows: pd.DataFrame, cohort: Cohort) -> None:
    width = Console().width if sys.stdout.isatty() else WIDEST
    console = Console(width=max(NARROWEST, min(WIDEST, width)))
    for task, arms in rows.groupby("task", sort=False):
        console.print()
        of_paper = bool(arms["published_auroc"].notna().any())
        n, n_positive = arms.iloc[0][["n", "n_positive"]]
        console.print(f"{task}: {n} test stays, {n_positive} positive", style="bold")
        console.print(_table(arms, of_paper), highlight=False)
        for note in _notes(arms, of_paper):
            console.print(Text(f"  {note}"), soft_wrap=True)
    print(f"\n{cohort.describe()}\n--format csv or json gives every metric.")


def _table(arms: pd.DataFrame, of_paper: bool) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("arm")
    for name in ("AUROC [95 % CI]", "AUPRC [95 % CI]", *(["paper"] if of_paper else [])):
        table.add_column(name, no_wrap=True)
    for _, arm in arms.iterrows():
        name = "\n".join(wrap(arm["arm"].replace("]+", "] +"), ARM_WIDTH)).replace("] +", "]+")
        if note := SAW_MIMIC.get(arm["saw_mimic"]):
            name += f" {note[0]}"
        if arms["fusion"].nunique() > 1:
            name += f"\n  by {arm['fusion']}"
        cells = [name, _with_interval(arm, "auroc"), _with_interval(arm, "auprc")]
        if of_paper:
            published = arm["published_auroc_value"]
            cells.append("-" if pd.isna(published) else f"{published:.3f}")
        table.add_row(*map(Text, cells))
    return table


def _with_interval(arm: pd.Series, metric: str) -> str:
    value, low, high = (arm[f"{metric}_{part}"] for part in ("value", "low", "high"))
    if pd.isna(value):
        return "-"
    return f"{value:.3f} " + ("(no interval)" if pd.isna(low) else f"[{low:.3f}, {high:.3f}]")


def _notes(arms: pd.DataFrame, of_paper: bool) -> list[str]:
    notes = [f"by {', '.join(sorted(arms['fusion'].unique()))}"]
    if of_paper:
        notes.append("paper: the AUROC that the paper reports, on MIMIC-IV itself")
    for seen, note in SAW_MIMIC.items():
        if (arms["saw_mimic"] == seen).any():
            notes.append(note)
    reasons = {*arms["auroc_reason"].dropna(), *arms["auprc_reason"].dropna()}
    return notes + [f"no interval: {reason}" for reason in sorted(reasons)]

"""The leaderboard, as a terminal shows it."""

from pathlib import Path

import duckdb
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from charthouse.core.cohort import read_cohort
from charthouse.core.errors import CharthouseError
from charthouse.core.warehouse import open_warehouse
from charthouse.jobs.evaluate.other_cohorts import nothing_evaluated

METRICS = ("auroc", "auprc", "accuracy")
LARGER_CLASS = "larger class: the accuracy of always saying the outcome of most stays"
SAW_MIMIC = (
    "saw MIMIC: whether an encoder of it was trained on MIMIC before, so perhaps on test stays"
    " (reports.encoders says who says so)"
)
WIDTH = 200  # more than any arm needs: rich would cut the intervals where they are wider than 80


def print_leaderboard(warehouse: Path) -> None:
    """Prints reports.leaderboard, all stays of the test split, a table a task.

    Raises:
        CharthouseError: nothing has been evaluated on the present cohort, no learner either.
    """
    with open_warehouse(warehouse) as db:
        cohort = read_cohort(db)
        try:
            rows = db.execute(
                "select task, arm, fusion, n, auroc, auprc, accuracy,"
                " printf('%.4f', majority_accuracy), published_auroc, saw_mimic,"
                " list_distinct([auroc_reason, auprc_reason, accuracy_reason])"
                " from reports.leaderboard where population = 'all' and run_id is not null"
                " order by task, auroc_value desc, arm, fusion"
            ).fetchall()
            learners = not rows and db.execute("select 1 from reports.learners limit 1").fetchall()
        except duckdb.CatalogException:
            raise CharthouseError(
                "The warehouse lacks reports.leaderboard. Run charthouse build."
            ) from None
        if not rows and not learners:
            raise CharthouseError(nothing_evaluated(db))
    if learners:
        print("No arm has been evaluated: learners stand in reports.learners.")
        return
    console = Console(width=max(WIDTH, Console().width))
    for task in dict.fromkeys(row[0] for row in rows):
        of_task = [row for row in rows if row[0] == task]
        table = Table(
            title=f"{task}: {of_task[0][3]} test stays, {cohort.describe()}",
            title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False,
        )  # fmt: skip
        published = ("published auroc",) if any(row[8] for row in of_task) else ()
        names = (*METRICS, "larger class", *published)
        fusions = {row[2] for row in of_task}
        for name in ("arm", *(["fusion"] if len(fusions) > 1 else []), *names, "saw MIMIC"):
            table.add_column(name, no_wrap=True)
        for _, arm, fusion, _, *figures, saw_mimic, _ in of_task:
            cells = [arm, *([fusion] if len(fusions) > 1 else [])]
            cells += [value or "-" for value in figures[: len(names)]]
            table.add_row(*map(escape, [*cells, saw_mimic]))
        console.print(table)
        note = "AUROC, AUPRC, accuracy at 0.5, each with its 95 % interval over patients"
        console.print(f"  by {', '.join(sorted(fusions))}; {note}", markup=False)
        console.print(f"  {LARGER_CLASS}\n  {SAW_MIMIC}", markup=False)
        for why in sorted({why for row in of_task for why in row[-1]}):
            console.print(f"  no interval: {why}", markup=False)
        console.print()

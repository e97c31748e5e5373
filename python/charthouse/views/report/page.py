"""The page: the tables' cells, the words, and the template that holds them."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined

from charthouse.jobs.evaluate.precision import how_sure
from charthouse.jobs.evaluate.scored import ALL, COMPLETE, CXR_YEARS, POPULATIONS
from charthouse.views.report.read import Found, Row, TaskResults

HEADLINE = ("auroc", "auprc", "accuracy")  # those that the paper published
DETAILS = (
    "sensitivity_at_alert_rate", "ppv_at_alert_rate", "specificity_at_sensitivity",
    "sensitivity", "specificity", "ppv", "f1", "brier", "calibration_slope",
    "calibration_intercept", "ece",
)  # fmt: skip
PARTS = {
    COMPLETE: "Complete cases (vitals, image and text)",
    CXR_YEARS: "MIMIC-CXR years: stays that surely lie in them",
}
NOTHING = "\N{EN DASH}"


@dataclass(frozen=True)
class Picture:
    """A picture as the page shows it, and the file it is in as well."""

    file: str
    png: bytes
    alt: str
    caption: str

    @property
    def base64(self) -> str:
        """For a data URI."""
        return base64.b64encode(self.png).decode()


@dataclass(frozen=True)
class TaskPart:
    """What the page says of a task besides its tables."""

    results: TaskResults
    pictures: Sequence[Picture]
    absent: Sequence[str]  # why a picture is not there

    @property
    def width(self) -> str:
        """How wide intervals are, in words."""
        return width_in_words(self.results)

    @property
    def tables(self) -> list["Table"]:
        """Leaderboard of each population, the other metrics, the runs."""
        return tables(self.results)


@dataclass(frozen=True)
class Cell:
    """What a cell says, and why if it has no value or no interval."""

    text: str
    why: str | None = None


@dataclass(frozen=True)
class Table:
    """A table of the page."""

    title: str
    names: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    open: bool = False


def render(found: Found, attrition: Picture, parts: Sequence[TaskPart]) -> str:
    """The page as HTML; everything that comes from the warehouse is escaped."""
    template = (
        resources.files("charthouse.views.report").joinpath("page.html.j2").read_text("utf-8")
    )
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(template).render(
        cohort=found.cohort,
        in_cohort=found.cohort.attrition[-1],
        attrition=attrition,
        tasks=parts,
        not_evaluated=found.not_evaluated,
        checklist=found.checklist,
        trace=trace(found),
        share=lambda value: NOTHING if value is None else f"{value:.0%}",
    )


def width_in_words(results: TaskResults) -> str:
    """How well AUROC is known: half the median width of its intervals, all test stays."""
    counts = results.counts[ALL]
    widths = [
        row["auroc_high"] - row["auroc_low"]
        for row in results.leaderboard
        if row["run_id"] and row["population"] == ALL and row["auroc_low"] is not None
    ]
    return how_sure(
        widths,
        patients=counts.patients,
        rarer=counts.rarer,
        n=counts.n,
        n_positive=counts.n_positive,
    )


def tables(results: TaskResults) -> list[Table]:
    """Those of a task; arms as in the leaderboard's order."""
    ours = [row for row in results.leaderboard if row["run_id"]]
    only_published = [row for row in results.leaderboard if not row["run_id"]]
    of = {name: [row for row in ours if row["population"] == name] for name in POPULATIONS}
    title = "All stays, ours and published"
    found = [_headline(results, of[ALL] + only_published, title, published=True)]
    found += [_headline(results, of[name], title) for name, title in PARTS.items() if of[name]]
    found.append(_details(results, [row for rows in of.values() for row in rows]))
    found.append(_runs(results))
    return found


def _headline(
    results: TaskResults, rows: Sequence[Row], title: str, *, published: bool = False
) -> Table:
    published = published and any(row["published_auroc"] for row in rows)
    names = ["arm", "n"]
    for metric in HEADLINE:
        names += [metric, f"{metric}, published"] if published else [metric]
    names += ["accuracy of the larger class"]
    subtracted = any(row["auroc_minus_published"] is not None for row in rows)
    names += ["auroc minus published"] if subtracted else []
    names.append("saw MIMIC")
    body = []
    for row in rows:
        cells = [Cell(results.label(row)), Cell(_number(row["n"], ","))]
        for metric in HEADLINE:
            cells.append(_cell(row, metric, row[metric]))
            if published:
                cells.append(Cell(row[f"published_{metric}"] or NOTHING))
        cells.append(Cell(_number(row["majority_accuracy"], ".4f")))
        if subtracted:
            cells.append(Cell(_number(row["auroc_minus_published"], "+.4f")))
        body.append([*cells, Cell(row["saw_mimic"])])
    return Table(title, names, body, open=True)


def _details(results: TaskResults, rows: Sequence[Row]) -> Table:
    body = []
    for row in rows:
        cells = [Cell(results.label(row)), Cell(row["population"])]
        for metric in DETAILS:
            value, low, high = (row[f"{metric}_{part}"] for part in ("value", "low", "high"))
            text = _number(value, ".4f")
            if low is not None and high is not None:
                text += f" [{low:.4f}, {high:.4f}]"
            cells.append(_cell(row, metric, text))
        body.append([*cells, Cell(_number(row["threshold"], ".4f"))])
    names = ["arm", "population", *DETAILS, "threshold"]
    return Table("Other metrics, with 95 % intervals", names, body)


def _runs(results: TaskResults) -> Table:
    names = (
        "run_id", "arm", "fusion", "saw_mimic", "converged", "penalty", "c", "cv_auroc", "features",
        "fitted_on", "code_version", "seed", "evaluation_run_id",
    )  # fmt: skip
    body = []
    for run in results.runs:
        shown: dict[str, Any] = run | {
            "converged": "yes" if run["converged"] else "NO",
            "cv_auroc": _number(run["cv_auroc"], ".4f"),
            "c": _number(run["c"], "g"),
        }
        why = {"converged": run["not_converged"]}
        body.append(
            [
                Cell(NOTHING if shown[name] is None else str(shown[name]), why.get(name))
                for name in names
            ]
        )
    return Table("Runs: what the grid search chose, and with which code", names, body)


def _cell(row: Row, metric: str, text: str | None) -> Cell:
    return Cell(text or NOTHING, row[f"{metric}_reason"])


def _number(value: float | None, form: str) -> str:
    return NOTHING if value is None else format(value, form)


def trace(found: Found) -> str:
    """SQL from a row of the leaderboard back to stays, with a run of this report."""
    results = found.tasks[0]
    run = results.runs[0]
    task, arm, run_id = (run[name].replace("'", "''") for name in ("task", "arm", "run_id"))
    return f"""-- the number, as the leaderboard has it
select * from reports.leaderboard where task = '{task}' and arm = '{arm}';
-- each metric with its interval, and the run of charthouse evaluate that made it
select * from results.metrics where run_id = '{run_id}' and split = 'test';
-- code, settings, seed and packages of the run; what was fitted; which embeddings it read
select * from results.runs where run_id = '{run_id}';
select * exclude (candidates, fitted_on) from results.fits where run_id = '{run_id}';
select * from results.run_inputs where run_id = '{run_id}';
-- the score of every test stay, beside the row of the cohort
select * from results.predictions inner join marts.cohort using (stay_id)
where run_id = '{run_id}' and predictions.split = 'test';
-- which rule dropped which stay
select stay_id, dropped_at_step from intermediate.int_stays_screened;"""

"""What the report is about: rows of marts and reports, read in one short open."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from charthouse.core.cohort import require_result_tables
from charthouse.core.data_kind import DataKind, data_kind_of
from charthouse.core.errors import CharthouseError
from charthouse.core.warehouse import open_warehouse
from charthouse.jobs.evaluate.other_cohorts import nothing_evaluated
from charthouse.jobs.evaluate.scored import POPULATIONS
from charthouse.views.report.tripod import Item, checklist

Row = dict[str, Any]
"""A row of a query: name of the column to its value."""

MOST_GROUPS = 12
"""An attribute with more groups is named, not drawn: nobody could read it."""

OF_GROUPS = "attribute not like '%\\_id' escape '\\'"  # groups that are identifiers stay unread


@dataclass(frozen=True)
class Counts:
    """The test stays of a task in one population."""

    n: int
    n_positive: int
    patients: int
    rarer: int  # patients of the class that has fewer

    def __str__(self) -> str:
        return f"{self.n:,} stays, {self.n_positive:,} positive, {self.patients:,} patients"


@dataclass(frozen=True)
class CohortFacts:
    """The cohort of the marts, counted."""

    cohort_hash: str
    protocol: str
    data_kind: DataKind
    data_source: str | None  # name and licence of open data
    variables: Mapping[str, Any]
    attrition: Sequence[Row]  # marts.cohort_attrition
    splits: Sequence[Row]  # split, stays, patients
    positives: Sequence[Row]  # split, task, n_positive
    modalities: Sequence[str]  # in order
    coverage: Mapping[str, float]  # of each: share of the stays that have it; complete: all three


@dataclass(frozen=True)
class TaskResults:
    """What stands in reports about a task, and what its footers need.

    Attributes:
        cohort: That all of it is about.
        task: Its name.
        question: As seeds/registries/tasks.csv has it, or None.
        fusion: The one whose arms are drawn where only a few can be.
        counts: Population to the test stays.
        evaluations: Runs of evaluate, with their resamples and smallest group.
        runs: reports.arms, those that have been evaluated.
    """

    cohort: CohortFacts
    task: str
    question: str | None
    fusion: str
    counts: Mapping[str, Counts]
    evaluations: Sequence[Row]
    runs: Sequence[Row]
    leaderboard: Sequence[Row]
    comparisons: Sequence[Row]
    subgroups: Sequence[Row]
    fairness: Sequence[Row]
    contributions: Sequence[Row]
    curves: Sequence[Row]
    learners: Sequence[Row] = ()  # reports.learners, asked with everything shown
    learner_groups: Sequence[Row] = ()  # accuracy of these by subgroup, each refusal as wrong

    @property
    def several_fusions(self) -> bool:
        """Whether an arm's name alone does not say what it is."""
        return len({run["fusion"] for run in self.runs}) > 1

    def label(self, row: Mapping[str, Any]) -> str:
        """Of the arm of a row."""
        named = self.several_fusions and row["fusion"]
        return f"{row['arm']} ({row['fusion']})" if named else row["arm"]


@dataclass(frozen=True)
class Found:
    """All that the report says."""

    cohort: CohortFacts
    tasks: Sequence[TaskResults]
    not_evaluated: Sequence[str]  # tasks
    checklist: Sequence[Item] = ()  # of TRIPOD+AI, if it was asked for


def read(warehouse: Path, *, tripod: bool = False) -> Found:
    """Reads all of it.

    Args:
        warehouse: The DuckDB file.
        tripod: With the checklist of TRIPOD+AI.

    Raises:
        CharthouseError: nothing has been evaluated on the present cohort, or tables are missing.
    """
    with open_warehouse(warehouse) as db:
        require_result_tables(db)
        try:
            evaluated = [
                row["task"]
                for row in rows(
                    db,
                    "select distinct task from reports.leaderboard where run_id is not null"
                    " order by task",
                )
            ]
            if not evaluated:
                raise CharthouseError(_nothing(db))
            cohort = _cohort(db)
            tasks = [_task(db, cohort, task) for task in evaluated]
            known = rows(db, "select distinct task from marts.labels order by task")
            items = checklist(db) if tripod else ()
        except duckdb.CatalogException as error:
            missing = str(error).splitlines()[0]
            raise CharthouseError(
                f"The warehouse lacks what a report is made of ({missing}). Run charthouse build."
            ) from None
    left = [row["task"] for row in known if row["task"] not in evaluated]
    return Found(cohort, tasks, left, items)


def _nothing(db: duckdb.DuckDBPyConnection) -> str:
    """Why there is nothing to report."""
    if db.execute("select 1 from reports.learners limit 1").fetchall():
        return (
            "No arm has been evaluated, and the report is of arms; learners stand in"
            " reports.learners. Run charthouse predict and charthouse evaluate."
        )
    return nothing_evaluated(db)


def rows(db: duckdb.DuckDBPyConnection, query: str, *values: Any) -> list[Row]:
    """What a query returns."""
    found = db.execute(query, list(values))
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _cohort(db: duckdb.DuckDBPyConnection) -> CohortFacts:
    (definition,) = rows(
        db,
        "select cohort_hash, protocol, variables, is_synthetic, data_kind, data_source"
        " from marts.cohort_definition",
    )
    by_split = "case split when 'train' then 1 when 'validation' then 2 when 'test' then 3 end"
    coverage = rows(
        db,
        "select modality, avg(in_window::int) as share from marts.stay_modalities"
        " inner join marts.modalities using (modality) group by modality, position"
        " union all select 'complete', avg(is_complete::int) from marts.cohort",
    )
    return CohortFacts(
        cohort_hash=definition["cohort_hash"],
        protocol=definition["protocol"],
        data_kind=data_kind_of(definition),
        data_source=definition["data_source"],
        variables=json.loads(definition["variables"]),
        attrition=rows(db, "select * from marts.cohort_attrition order by step"),
        splits=rows(
            db,
            "select split, count(*) as stays, count(distinct subject_id) as patients"
            f" from marts.cohort group by split order by {by_split}",
        ),
        positives=rows(
            db,
            "select cohort.split, labels.task, sum(labels.label)::bigint as n_positive"
            " from marts.cohort as cohort inner join marts.labels as labels using (stay_id)"
            " group by all order by labels.task, cohort.split",
        ),
        modalities=[row["modality"] for row in rows(db, "from marts.modalities order by position")],
        coverage={row["modality"]: row["share"] for row in coverage},
    )


def _task(db: duckdb.DuckDBPyConnection, cohort: CohortFacts, task: str) -> TaskResults:
    runs = rows(
        db,
        "select * from reports.arms where task = ? and evaluation_run_id is not null"
        " order by arm, fusion",
        task,
    )
    fusions: list[str] = [run["fusion"] for run in runs]
    default = str(cohort.variables.get("fusion"))
    questions = rows(db, "select question from seeds.tasks where task = ?", task)
    return TaskResults(
        cohort=cohort,
        task=task,
        question=questions[0]["question"] if questions else None,
        fusion=default if default in fusions else max(sorted(set(fusions)), key=fusions.count),
        counts=read_counts(db, task),
        evaluations=rows(
            db,
            "select run_id, (settings ->> 'n_bootstrap')::int as n_bootstrap,"
            " (settings ->> 'min_group')::int as min_group from results.runs"
            " where run_id in (select unnest(?)) order by run_id",
            [run["evaluation_run_id"] for run in runs],
        ),
        runs=runs,
        leaderboard=leaderboard_rows(db, task),
        comparisons=rows(
            db,
            "select * from reports.comparisons where task = ? and metric = 'auroc' and attribute is"
            " null order by question, arm, fusion, other_arm, other_fusion, population",
            task,
        ),
        subgroups=rows(
            db,
            by_group("reports.subgroups", f"metric = 'auroc' and {OF_GROUPS}", "arm", "fusion"),
            task,
        ),
        fairness=rows(
            db,
            f"select * from reports.fairness where task = ? and {OF_GROUPS} and metric in"
            " ('demographic_parity_ratio', 'equalized_odds_ratio') order by attribute, arm, fusion",
            task,
        ),
        contributions=rows(
            db,
            "select * from reports.contributions where task = ?"
            " order by arm, fusion, population, method, modality",
            task,
        ),
        curves=rows(
            db, "select * from reports.curves where task = ? order by arm, fusion, curve, x", task
        ),
        learners=rows(
            db,
            "select * from reports.learners where task = ? and condition = 'full'"
            " order by learner, fingerprint",
            task,
        ),
        learner_groups=rows(
            db,
            by_group(
                "reports.learner_subgroups",
                "metric = 'accuracy' and counting = 'as_wrong' and condition = 'full'"
                f" and {OF_GROUPS}",
                "learner",
                "fingerprint",
            ),
            task,
        ),
    )


def by_group(table: str, which: str = "true", *then: str) -> str:
    """A query for rows of a task by subgroup: ages in order, other groups the largest first.

    Args:
        table: Of subgroups, with its schema.
        which: Condition on its rows.
        then: Columns that order the rows of a group.
    """
    order = ["attribute", "subgroup = '(missing)'", "ages.age_group is null",
             "ages.up_to nulls last", "n desc", "subgroup", *then]  # fmt: skip
    return (
        f"select found.* from {table} as found left join seeds.age_groups as ages"
        " on found.attribute = 'age_group' and found.subgroup = ages.age_group"
        f" where found.task = ? and {which} order by {', '.join(order)}"
    )


def read_counts(db: duckdb.DuckDBPyConnection, task: str) -> dict[str, Counts]:
    """Of a task, for each population."""
    found = {}
    for population, which in POPULATIONS.items():
        (row,) = rows(
            db,
            "select count(*) as n, coalesce(sum(labels.label), 0)::bigint as n_positive,"
            " count(distinct cohort.subject_id) as patients,"
            " least(count(distinct cohort.subject_id) filter (where labels.label = 1),"
            " count(distinct cohort.subject_id) filter (where labels.label = 0)) as rarer"
            " from marts.cohort as cohort"
            " inner join marts.labels as labels using (stay_id)"
            f" where labels.task = ? and cohort.split = 'test' and {which}",
            task,
        )
        found[population] = Counts(**row)
    return found


def leaderboard_rows(db: duckdb.DuckDBPyConnection, task: str) -> list[Row]:
    """Of reports.leaderboard, ours and published, the best first."""
    return rows(
        db,
        "select * from reports.leaderboard where task = ?"
        " order by coalesce(auroc_value, published_auroc_value) desc nulls last,"
        " arm, fusion, population",
        task,
    )

"""Every arm that has scored the present cohort: its figures, and how arms compare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from charthouse.cohort import Cohort, read_cohort, require_cohort
from charthouse.encoders.registry import EncoderSpec, encoder_specs
from charthouse.errors import CharthouseError, require_known
from charthouse.evaluate import figures as of
from charthouse.evaluate import store
from charthouse.evaluate.attribution import absolute_contributions, read_linear, shares
from charthouse.evaluate.figures import Bootstrap, Figures, Row
from charthouse.evaluate.questions import Question, questions
from charthouse.evaluate.scored import ALL, COMPLETE, Scored, Stays, read_scored, read_stays
from charthouse.fusions.registry import make_fusion
from charthouse.predict.arms import parse_arm
from charthouse.predict.features import read_block
from charthouse.progress import Say, Watch
from charthouse.runs import new_run_id, note_counts, start_run
from charthouse.statistics.multiplicity import holm
from charthouse.warehouse import open_warehouse

SPLITS = ("validation", "test")
FEW = 50
"""Stays of the rarer class, below which percentile intervals do not hold what they promise."""
ATTRIBUTES = ("age_group", "gender", "race_group")


@dataclass(frozen=True)
class Options:
    """What a user may ask of `charthouse evaluate`."""

    tasks: Sequence[str] = ()  # none: all
    attributes: Sequence[str] = ATTRIBUTES  # columns of marts.cohort
    compare: Sequence[tuple[str, str]] = ()  # more pairs of arms, by the default fusion
    n_bootstrap: int = 1000
    min_group: int = 10
    seed: int = 0


def evaluate(project: Path, warehouse: Path, options: Options, *, say: Say, watch: Watch) -> None:
    """Fills results.metrics, comparisons, subgroup_metrics, fairness, contributions and curves.

    Args:
        project: folder of dbt_project.yml.
        warehouse: the DuckDB file.
        options: what the user asked.
        say: told one line at a time.
        watch: shows progress.

    Raises:
        CharthouseError: there is nothing to evaluate, or an option makes no sense.
    """
    with open_warehouse(warehouse) as db:
        cohort = read_cohort(db)
    for task in options.tasks:
        require_known("--task", task, cohort.tasks)
    specs = encoder_specs(project)
    say(f"{cohort.describe()} in {warehouse}")
    for task in options.tasks or cohort.tasks:
        _Task(project, warehouse, cohort, specs, task, options, say).evaluate(watch)


@dataclass(frozen=True)
class _Task:
    project: Path
    warehouse: Path
    cohort: Cohort
    specs: Mapping[str, EncoderSpec]
    task: str
    options: Options
    say: Say

    def evaluate(self, watch: Watch) -> None:
        """Figures arm by arm, each written when it is done; then the comparisons."""
        with open_warehouse(self.warehouse) as db:
            require_cohort(db, self.cohort)
            stays = {
                split: read_stays(db, self.task, split, self.options.attributes) for split in SPLITS
            }
            scored = read_scored(db, self.cohort, self.task, stays, self.specs)
        asked = self._questions(scored)
        run_id = self._start(scored)
        bootstrap = Bootstrap(self.options.n_bootstrap, self.options.seed, self.options.min_group)
        setting = self.cohort.variables["decision_threshold"]
        found: dict[str, Figures] = {}
        with watch(self.task, len(scored) + 1) as told:
            for place, each in enumerate(scored):
                found[each.run_id] = of.figures(each, stays, setting, bootstrap)
                self._write_figures(run_id, found[each.run_id], stays["test"], bootstrap)
                told(place + 1, len(scored) + 1)
            compared = self._compare(run_id, asked, found)
            with open_warehouse(self.warehouse, read_only=False) as db:
                db.execute("begin")
                require_cohort(db, self.cohort)
                store.replace_comparisons(db, self.cohort, self.task, compared)
                counts = {"arms": len(scored), "comparisons": len(asked)}
                note_counts(db, run_id, counts, finished=True)
                db.execute("commit")
            told(len(scored) + 1, len(scored) + 1)
        self.say(
            f"  {self.task}: {len(scored)} arms on {len(stays['test'].stay_ids)} test stays,"
            f" {len(asked)} pairs compared, {self.options.n_bootstrap} resamples ({run_id})"
        )
        self.say(f"    {_how_sure(list(found.values()))}")

    def _questions(self, scored: Sequence[Scored]) -> list[Question]:
        fusion = self.cohort.variables["fusion"]
        asked = questions(scored, fusion)
        by_name = {each.arm.name: each for each in scored if each.fusion == fusion}
        for pair in self.options.compare:
            names = [parse_arm(name, self.specs).name for name in pair]
            for name in names:
                if name not in by_name:
                    raise CharthouseError(
                        f"--compare: {name} by {fusion} has not scored {self.task}. Run charthouse"
                        f" predict --arm '{name}'."
                    )
            asked.append(Question("asked for", by_name[names[0]], by_name[names[1]]))
        return asked

    def _start(self, scored: Sequence[Scored]) -> str:
        run_id = new_run_id("evaluate")
        settings = {
            "n_bootstrap": self.options.n_bootstrap,
            "attributes": list(self.options.attributes),
            "min_group": self.options.min_group,
            "compare": [list(pair) for pair in self.options.compare],
            "decision_threshold": self.cohort.variables["decision_threshold"],
        }
        with open_warehouse(self.warehouse, read_only=False) as db:
            start_run(
                db,
                self.cohort,
                run_id=run_id,
                kind="evaluate",
                name="evaluate",
                task=self.task,
                seed=self.options.seed,
                settings=settings,
                fingerprint=",".join(each.run_id for each in scored),
            )
        return run_id

    def _write_figures(
        self, run_id: str, found: Figures, test: Stays, bootstrap: Bootstrap
    ) -> None:
        rows = {
            "metrics": of.metric_rows(found),
            "subgroup_metrics": of.subgroup_rows(found),
            "fairness": of.fairness_rows(found),
            "contributions": self._contribution_rows(found.scored, test, bootstrap),
            "curves": of.curve_rows(found.scored, test, bootstrap),
        }
        key = self._key(found.scored) | {"evaluation_run_id": run_id}
        complete = {table: [key | row for row in of_table] for table, of_table in rows.items()}
        with open_warehouse(self.warehouse, read_only=False) as db:
            db.execute("begin")
            require_cohort(db, self.cohort)
            store.replace_figures(db, [found.scored.run_id], complete)
            db.execute("commit")

    def _key(self, scored: Scored) -> Row:
        return {
            "run_id": scored.run_id,
            "task": self.task,
            "arm": scored.arm.name,
            "fusion": scored.fusion,
        }

    def _contribution_rows(
        self, scored: Scored, test: Stays, bootstrap: Bootstrap
    ) -> list[dict[str, Any]]:
        """Rows of results.contributions, for fusions that have them."""
        fusion = make_fusion(self.project, scored.fusion)
        if not fusion.explains or not len(test.stay_ids):
            return []
        with open_warehouse(self.warehouse) as db:
            require_cohort(db, self.cohort)
            linear = read_linear(db, scored.run_id)
            blocks = [
                read_block(db, self.cohort, self.specs, encoder, self.task, test.stay_ids)
                for encoder in scored.arm.reads
            ]
        x = fusion.matrix(blocks, linear.columns)
        absolute = absolute_contributions(linear, x)
        populations = {ALL: np.ones(len(x), bool), COMPLETE: test.complete}
        return [
            {
                "split": "test",
                "population": population,
                "method": share.method,
                "modality": share.modality,
                "mean_absolute": share.mean_absolute,
                "share": share.share,
                "ci_low": of.number(share.ci_low),
                "ci_high": of.number(share.ci_high),
                "n": int(rows.sum()),
            }
            for population, rows in populations.items()
            for share in shares(absolute, rows, test.subject_ids, bootstrap.n, bootstrap.seed)
        ]

    def _compare(
        self, run_id: str, asked: Sequence[Question], found: Mapping[str, Figures]
    ) -> list[Row]:
        """Rows of results.comparisons, their p-values corrected within each question."""
        rows = []
        for question in asked:
            arm, other = found[question.arm.run_id], found[question.other.run_id]
            common = {
                **self._key(question.arm),
                "question": question.name,
                "other_run_id": question.other.run_id,
                "other_arm": question.other.arm.name,
                "other_fusion": question.other.fusion,
                "split": "test",
                "evaluation_run_id": run_id,
            }
            for population in (ALL, COMPLETE):
                differences = arm.by_population["test", population].minus(
                    other.by_population["test", population]
                )
                rows += [
                    common
                    | {"population": population, "attribute": None, "metric": metric}
                    | of.difference_row(difference)
                    for metric, difference in differences.items()
                ]
            for attribute in self.options.attributes if question.adds else ():
                differences = arm.by_attribute[attribute].fairness_minus(
                    other.by_attribute[attribute]
                )
                rows += [
                    common
                    | {"population": ALL, "attribute": attribute, "metric": measure}
                    | of.difference_row(difference)
                    for measure, difference in differences.items()
                ]
        return _corrected(rows)


def _how_sure(found: Sequence[Figures]) -> str:
    """How wide the intervals of AUROC are, in words, and whether even that is too good."""
    intervals = [each.by_population["test", ALL].intervals()["auroc"] for each in found]
    widths = [each.ci_high - each.ci_low for each in intervals if not np.isnan(each.ci_low)]
    n, positive = intervals[0].n, intervals[0].n_positive
    known = (
        f"AUROC is known to about +-{np.median(widths) / 2:.3f} (median of the arms)"
        if widths
        else "AUROC has no interval"
    )
    if min(positive, n - positive) >= FEW:
        return f"{known}."
    return (
        f"{known}; with {positive} of {n} test stays positive, fewer than {FEW} of a class, the"
        " intervals are too narrow still: conclude nothing."
    )


def _corrected(rows: list[Row]) -> list[Row]:
    """Adds p_adjusted and n_asked: of one question, population, attribute and metric."""
    families: dict[tuple, list[Row]] = {}
    for row in rows:
        family = tuple(row[key] for key in ("question", "population", "attribute", "metric"))
        families.setdefault(family, []).append(row)
    for family_rows in families.values():
        p_values = [np.nan if row["p_value"] is None else row["p_value"] for row in family_rows]
        for row, adjusted in zip(family_rows, holm(p_values), strict=True):
            row["p_adjusted"] = of.number(adjusted)
            row["n_asked"] = len(family_rows)
    return rows

"""Every arm and learner that has scored the present cohort: its figures, and how they compare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from charthouse.cohort import Cohort, read_cohort, require_cohort
from charthouse.encoders.registry import EncoderSpec, encoder_specs
from charthouse.errors import CharthouseError, require_known
from charthouse.evaluate import figures as of
from charthouse.evaluate import store
from charthouse.evaluate.attribution import absolute_contributions, read_linear, shares
from charthouse.evaluate.certainty import how_sure
from charthouse.evaluate.comparisons import (
    corrected,
    difference_rows,
    fairness_difference_rows,
)
from charthouse.evaluate.comparisons import in_words as compared_in_words
from charthouse.evaluate.figures import Bootstrap, Figures, Row
from charthouse.evaluate.learner_answers import Learner, read_learners
from charthouse.evaluate.learner_comparisons import chosen_arms, comparison_rows
from charthouse.evaluate.learners import fairness_rows, in_words, metric_rows
from charthouse.evaluate.questions import (
    Question,
    populations_of,
    questions,
    resamples_by_family,
)
from charthouse.evaluate.scored import (
    ALL,
    CXR_YEARS,
    Scored,
    Stays,
    read_scored,
    read_stays,
)
from charthouse.evaluate.shapley import contribution_rows
from charthouse.fusions.registry import make_fusion
from charthouse.predict.arms import parse_arm
from charthouse.predict.features import read_block
from charthouse.predict.job import Asked
from charthouse.predict.store import require_as_fitted
from charthouse.progress import Say, Watch
from charthouse.runs import new_run_id, note_counts, start_run
from charthouse.statistics.bootstrap import rarer_patients
from charthouse.statistics.groups import MIN_GROUP
from charthouse.statistics.weighted import Operating
from charthouse.warehouse import open_warehouse

SPLITS = ("validation", "test")
ATTRIBUTES = ("age_group", "gender", "race_group")


@dataclass(frozen=True)
class Options:
    """What a user may ask of `charthouse evaluate`."""

    tasks: Sequence[str] = ()  # none: all
    attributes: Sequence[str] = ATTRIBUTES  # columns of marts.cohort
    compare: Sequence[tuple[str, str]] = ()  # more pairs of arms, by the default fusion
    n_bootstrap: int = 1000
    min_group: int = MIN_GROUP
    seed: int = 0

    def once(self) -> "Options":
        """Without what was said twice: it would be counted twice."""
        return replace(
            self,
            tasks=list(dict.fromkeys(self.tasks)),
            attributes=list(dict.fromkeys(self.attributes)),
        )


def evaluate(project: Path, warehouse: Path, options: Options, *, say: Say, watch: Watch) -> None:
    """Fills results.metrics, comparisons, subgroup_metrics, fairness, contributions and curves.

    And the learner_ tables, where learners have been asked.

    Args:
        project: folder of dbt_project.yml.
        warehouse: the DuckDB file.
        options: what the user asked.
        say: told one line at a time.
        watch: shows progress.

    Raises:
        CharthouseError: there is nothing to evaluate, or not of a task that was named (the others
            are evaluated first), or an option makes no sense.
    """
    with open_warehouse(warehouse) as db:
        cohort = read_cohort(db)
    for task in options.tasks:
        require_known("--task", task, cohort.tasks)
    options = options.once()
    specs = encoder_specs(project)
    say(f"{cohort.describe()} in {warehouse}")
    left_out = []
    for task in options.tasks or cohort.tasks:
        if not _Task(project, warehouse, cohort, specs, task, options, say).evaluate(watch):
            left_out.append(task)
    nothing = "no arm has scored this cohort. Run charthouse predict first."
    if left_out and (options.tasks or len(left_out) == len(cohort.tasks)):
        raise CharthouseError(f"{', '.join(left_out)}: {nothing}")
    for task in left_out:
        say(f"  left out: {task}: {nothing}")


@dataclass(frozen=True)
class _Task:
    project: Path
    warehouse: Path
    cohort: Cohort
    specs: Mapping[str, EncoderSpec]
    task: str
    options: Options
    say: Say

    def evaluate(self, watch: Watch) -> bool:
        """Figures one by one, then the comparisons, and all of it written at once.

        So what stands of a task is of one evaluation, also when a later one is killed.

        Returns:
            Whether there was anything: an arm or a learner that has scored the task.
        """
        with open_warehouse(self.warehouse) as db:
            require_cohort(db, self.cohort)
            stays = {
                split: read_stays(db, self.task, split, self.options.attributes) for split in SPLITS
            }
            scored = read_scored(db, self.cohort, self.task, stays, self.specs)
            learners = read_learners(db, self.cohort, self.task, stays["test"])
        if not scored and not learners:
            return False
        asked = self._questions(scored)
        run_id = self._start(scored, learners)
        bootstrap = Bootstrap(
            self.options.n_bootstrap, self.options.seed, self.options.min_group, self._operating
        )
        n_compared = resamples_by_family(asked, bootstrap.n)
        setting = self.cohort.variables["decision_threshold"]
        test = stays["test"]
        found: dict[str, Figures] = {}
        of_arms: list[dict[str, list[Row]]] = []
        of_learners: list[dict[str, list[Row]]] = []
        lines = []
        total, done = len(scored) + len(learners) + 1, count(1)
        with watch(self.task, total) as told:
            for each in scored:
                most = max(
                    (n_compared[question.family] for question in asked if each in question.arms),
                    default=bootstrap.n,
                )
                found[each.run_id] = of.figures(each, stays, setting, bootstrap, most)
                of_arms.append(self._arm_rows(run_id, found[each.run_id], test, bootstrap))
                told(next(done), total)
            for learner in learners:
                of_learners.append(self._learner_rows(run_id, learner, test, bootstrap))
                lines.append(in_words(learner, of_learners[-1]["learner_metrics"]))
                told(next(done), total)
            arms = chosen_arms(list(found.values()), self.cohort.variables["fusion"])
            compared = self._compare(run_id, asked, found, n_compared)
            against = self._of_learners(
                run_id, comparison_rows(learners, arms, test, bootstrap, self._by_era)
            )
            counts = {"arms": len(scored), "comparisons": len(asked), "learners": len(learners)}
            of_task = {"task": [self.task], "cohort_hash": [self.cohort.cohort_hash]}
            with open_warehouse(self.warehouse, read_only=False) as db:
                db.execute("begin")
                require_cohort(db, self.cohort)
                store.replace(db, store.joined(of_arms), run_id=list(found))
                store.replace_comparisons(db, self.cohort, self.task, compared)
                if learners:
                    names = [learner.name for learner in learners]  # under other settings too
                    store.replace(db, store.joined(of_learners), **of_task, learner=names)
                    store.replace(db, {"learner_comparisons": against}, **of_task)
                note_counts(db, run_id, counts, finished=True)
                db.execute("commit")
            told(next(done), total)
        sizes = {"arms": len(scored), "pairs of arms": len(asked), "learners": len(learners)}
        self.say(
            f"  {self.task}: {', '.join(f'{n} {what}' for what, n in sizes.items() if n)}"
            f" on {len(test.stay_ids)} test stays, {self.options.n_bootstrap} resamples ({run_id})"
        )
        pairs = {  # each in its main population, the first
            (row["question"], row["run_id"], row["other_run_id"]): row
            for row in reversed(compared)
            if row["is_primary"]
        }
        lines += filter(None, [
            _how_sure(list(found.values()), test),
            compared_in_words(list(pairs.values()), "arms"),
            compared_in_words(against, "learners and what they are held against"),
            self._of_cxr_years(test),
        ])  # fmt: skip
        for line in lines:
            self.say(f"    {line}")
        return True

    @property
    def _operating(self) -> Operating:
        settings = self.cohort.variables
        try:
            return Operating(settings["alert_rate"], settings["at_sensitivity"])
        except KeyError as error:
            raise CharthouseError(
                f"The marts are of an older clone, which had no setting {error}. Run dbt build."
            ) from None

    @property
    def _by_era(self) -> bool:
        return self.cohort.variables["split_by"] == "era"

    def _of_cxr_years(self, test: Stays) -> str:
        """What there is to say of the population, if anything."""
        n = int(test.populations[CXR_YEARS].sum())
        if self._by_era:
            return (
                "Split by era: arms that use images are compared within the MIMIC-CXR years alone,"
                f" on {n:,} of {len(test.stay_ids):,} test stays."
            )
        return (
            "" if n else "No test stay lies within the MIMIC-CXR years: that population is empty."
        )

    def _questions(self, scored: Sequence[Scored]) -> list[Question]:
        fusion = self.cohort.variables["fusion"]
        asked = questions(scored, fusion)
        by_name = {each.arm.name: each for each in scored if each.fusion == fusion}
        pairs = [
            (parse_arm(first, self.specs).name, parse_arm(second, self.specs).name)
            for first, second in self.options.compare
        ]
        for names in dict.fromkeys(pairs):
            for name in names:
                if name not in by_name:
                    raise CharthouseError(
                        f"--compare: {name} by {fusion} has not scored {self.task}. Run charthouse"
                        f" predict --arm '{name}'."
                    )
            asked.append(Question("asked for", by_name[names[0]], by_name[names[1]]))
        return asked

    def _start(self, scored: Sequence[Scored], learners: Sequence[Learner]) -> str:
        run_id = new_run_id("evaluate")
        settings = {
            "n_bootstrap": self.options.n_bootstrap,
            "attributes": list(self.options.attributes),
            "min_group": self.options.min_group,
            "compare": [list(pair) for pair in self.options.compare],
            "decision_threshold": self.cohort.variables["decision_threshold"],
            "alert_rate": self._operating.alert_rate,
            "at_sensitivity": self._operating.sensitivity,
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
                fingerprint=",".join(
                    [*(arm.run_id for arm in scored), *(each.fingerprint for each in learners)]
                ),
            )
        return run_id

    def _arm_rows(
        self, run_id: str, found: Figures, test: Stays, bootstrap: Bootstrap
    ) -> dict[str, list[Row]]:
        """Rows of the tables of arms."""
        rows = {
            "metrics": of.metric_rows(found),
            "subgroup_metrics": of.subgroup_rows(found),
            "fairness": of.fairness_rows(found),
            "contributions": self._contribution_rows(found.scored, test, bootstrap),
            "curves": of.curve_rows(found.scored, test, bootstrap),
        }
        key = self._key(found.scored) | {"evaluation_run_id": run_id}
        return {table: [key | row for row in of_table] for table, of_table in rows.items()}

    def _learner_rows(
        self, run_id: str, learner: Learner, test: Stays, bootstrap: Bootstrap
    ) -> dict[str, list[Row]]:
        """Rows of the tables of learners, but for comparisons."""
        rows = {
            "learner_metrics": metric_rows(learner, test, bootstrap),
            "learner_fairness": fairness_rows(learner, test, bootstrap),
            "learner_contributions": contribution_rows(learner, test, bootstrap),
        }
        key = {"learner": learner.name, "fingerprint": learner.fingerprint}
        return {
            table: self._of_learners(run_id, [key | row for row in of_table])
            for table, of_table in rows.items()
        }

    def _of_learners(self, run_id: str, rows: Sequence[Row]) -> list[Row]:
        """With the columns that all tables of learners have."""
        common = {
            "evaluation_run_id": run_id,
            "task": self.task,
            "cohort_hash": self.cohort.cohort_hash,
        }
        return [common | row for row in rows]

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
        """Rows of results.contributions, for fusions that have them.

        None, and a line that says so, where the vectors are not those that the scores are of.
        """
        fusion = make_fusion(self.project, scored.fusion)
        if not fusion.explains or not len(test.stay_ids):
            return []
        with open_warehouse(self.warehouse) as db:
            require_cohort(db, self.cohort)
            asked = Asked(self.task, scored.arm, scored.fusion)
            try:
                require_as_fitted(db, self.cohort, scored.run_id, asked, fusion)
            except CharthouseError as error:
                self.say(f"    no contributions: {error}")
                return []
            linear = read_linear(db, scored.run_id)
            blocks = [
                read_block(db, self.cohort, self.specs, encoder, self.task, test.stay_ids)
                for encoder in scored.arm.reads
            ]
        x = fusion.matrix(blocks, linear.columns, linear.mean)
        absolute = absolute_contributions(linear, x)
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
                "reason": share.reason,
                "n": int(rows.sum()),
            }
            for population, rows in test.populations.items()
            for share in shares(absolute, rows, test.subject_ids, bootstrap.n, bootstrap.seed)
        ]

    def _compare(
        self,
        run_id: str,
        asked: Sequence[Question],
        found: Mapping[str, Figures],
        n_compared: Mapping[tuple[str, str], int],
    ) -> Sequence[Row]:
        """Rows of results.comparisons, their p-values corrected within each question and fusion."""
        rows: list[Row] = []
        for question in asked:
            arm, other = (found[each.run_id] for each in question.arms)
            common = {
                **self._key(question.arm),
                "question": question.name,
                "other_run_id": question.other.run_id,
                "other_arm": question.other.arm.name,
                "other_fusion": question.other.fusion,
                "split": "test",
                "evaluation_run_id": run_id,
            }
            populations = populations_of(self._by_era, question.arm.arm, question.other.arm)
            pair = [*difference_rows(arm, other, populations, n_compared[question.family])]
            if question.adds and ALL in populations:
                pair += fairness_difference_rows(arm, other, self.options.attributes)
            rows += [common | row for row in pair]
        return corrected(rows, ("question", "fusion", "population", "attribute", "metric"))


def _how_sure(found: Sequence[Figures], test: Stays) -> str:
    intervals = [each.by_population["test", ALL].intervals()["auroc"] for each in found]
    return how_sure(
        [each.ci_high - each.ci_low for each in intervals if not np.isnan(each.ci_low)],
        patients=len(np.unique(test.subject_ids)),
        rarer=rarer_patients(test.y_true, test.subject_ids),
        n=len(test.y_true),
        n_positive=int(test.y_true.sum()),
    )

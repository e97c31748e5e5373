"""One task: what there is to evaluate, and all rows of its metrics; nothing is written here."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from charthouse.core.cohort import Cohort, require_same_cohort
from charthouse.core.errors import CharthouseError
from charthouse.core.progress import PrintLine, ProgressBar
from charthouse.core.warehouse import open_warehouse
from charthouse.jobs.evaluate import arm_metrics, store
from charthouse.jobs.evaluate.arm_metrics import ArmMetrics, Bootstrap, ResultRow
from charthouse.jobs.evaluate.attribution import absolute_contributions, read_linear, shares
from charthouse.jobs.evaluate.comparisons import (
    corrected,
    difference_rows,
    fairness_difference_rows,
)
from charthouse.jobs.evaluate.learner_answers import Learner, read_learners
from charthouse.jobs.evaluate.learner_comparisons import chosen_arms, comparison_rows
from charthouse.jobs.evaluate.learner_metrics import fairness_rows, in_words, metric_rows
from charthouse.jobs.evaluate.planned_comparisons import (
    PlannedComparison,
    plan_comparisons,
    populations_of,
    resamples_by_family,
)
from charthouse.jobs.evaluate.scored import ALL, Scored, Stays, read_scored, read_stays
from charthouse.jobs.evaluate.shapley import contribution_rows
from charthouse.jobs.predict.arms import parse_arm
from charthouse.jobs.predict.job import FitKey
from charthouse.jobs.predict.store import require_as_fitted
from charthouse.jobs.predict.vectors import read_block
from charthouse.models.encoders.spec import EncoderSpec
from charthouse.models.fusions.registry import make_fusion
from charthouse.stats.fairness import MIN_GROUP
from charthouse.stats.samples import OperatingPoint

SPLITS = ("validation", "test")
ATTRIBUTES = ("age_group", "gender", "race_group")


@dataclass(frozen=True)
class EvaluateRequest:
    """What a user may ask of `charthouse evaluate`."""

    tasks: Sequence[str] = ()  # none: all
    attributes: Sequence[str] = ATTRIBUTES  # columns of marts.cohort
    compare: Sequence[tuple[str, str]] = ()  # more pairs of arms, by the default fusion
    n_bootstrap: int = 1000
    min_group: int = MIN_GROUP
    seed: int = 0

    def once(self) -> "EvaluateRequest":
        """Without what was said twice: it would be counted twice."""
        return replace(
            self,
            tasks=list(dict.fromkeys(self.tasks)),
            attributes=list(dict.fromkeys(self.attributes)),
        )


@dataclass(frozen=True, eq=False)
class TaskInputs:
    """What there is to evaluate of a task."""

    stays: Mapping[str, Stays]  # split to its stays
    scored: Sequence[Scored]
    learners: Sequence[Learner]  # those that were asked about the test stays
    asked: Sequence[PlannedComparison]  # which arms are compared
    # of sections, for the Shapley values of learners; () where each section is one
    groups: Sequence[str] = ()

    @property
    def fingerprint(self) -> str:
        """Of the scores and answers that are evaluated, and of how sections are grouped."""
        answers = [
            ":".join([each.fingerprint, *(of.answers_hash for of in each.conditions.values())])
            for each in self.learners
        ]
        groups = [f"groups {' '.join(self.groups)}"] if self.groups and answers else []
        return ",".join([*(arm.run_id for arm in self.scored), *answers, *groups])


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What there is to say and to write of a task."""

    found: Mapping[str, ArmMetrics]  # run of predict to the metrics of its arm
    compared: Sequence[ResultRow]  # rows of results.comparisons
    against: Sequence[ResultRow]  # rows of results.learner_comparisons
    of_learners: Sequence[str]  # a line about each learner
    replacements: Sequence[store.Replacement]  # every row, as it is written


@dataclass(frozen=True)
class Task:
    """One task, to be evaluated as the request says."""

    project: Path
    warehouse: Path
    cohort: Cohort
    specs: Mapping[str, EncoderSpec]
    task: str
    request: EvaluateRequest
    say: PrintLine

    def read(self) -> TaskInputs:
        """Scores and answers of the present cohort.

        Raises:
            CharthouseError: an arm has not scored every stay, one of a pair that was asked for has
                not scored any, or marts.cohort lacks an attribute.
        """
        with open_warehouse(self.warehouse) as db:
            require_same_cohort(db, self.cohort)
            stays = {
                split: read_stays(db, self.task, split, self.request.attributes) for split in SPLITS
            }
            scored = read_scored(db, self.task, stays, self.specs)
            learners = read_learners(db, self.task, stays["test"])
        asked = self._questions(scored) if scored or learners else []
        grouped = self.cohort.shapley_groups != self.cohort.profile_sections
        groups = self.cohort.shapley_groups if grouped else ()
        return TaskInputs(stays, scored, learners, asked, groups)

    def compute(self, subject: TaskInputs, run_id: str, watch: ProgressBar) -> Evaluation:
        """Metrics of each arm and learner, then the comparisons; writes nothing.

        Raises:
            CharthouseError: the marts were built again meanwhile.
        """
        stays, scored, learners = subject.stays, subject.scored, subject.learners
        asked = subject.asked
        bootstrap = Bootstrap(
            self.request.n_bootstrap,
            self.request.seed,
            self.request.min_group,
            self.operating_point,
        )
        n_compared = resamples_by_family(asked, bootstrap.n)
        setting = self.cohort.variables["decision_threshold"]
        test = stays["test"]
        found: dict[str, ArmMetrics] = {}
        of_arms: defaultdict[str, list[ResultRow]] = defaultdict(list)
        of_learners: defaultdict[str, list[ResultRow]] = defaultdict(list)
        lines = []
        total, done = len(scored) + len(learners) + 1, count(1)
        with watch(self.task, total) as progress:
            for each in scored:
                most = max(
                    (n_compared[question.family] for question in asked if each in question.arms),
                    default=bootstrap.n,
                )
                found[each.run_id] = arm_metrics.measure_arm(each, stays, setting, bootstrap, most)
                for table, rows in self._arm_rows(
                    run_id, found[each.run_id], test, bootstrap
                ).items():
                    of_arms[table] += rows
                progress(next(done), total)
            for learner in learners:
                made = self._learner_rows(run_id, learner, test, bootstrap)
                for table, rows in made.items():
                    of_learners[table] += rows
                lines.append(in_words(learner, made["learner_metrics"]))
                progress(next(done), total)
            arms = chosen_arms(list(found.values()), self.cohort.variables["fusion"])
            compared = self._compare(run_id, asked, found, n_compared)
            against = self._of_learners(
                run_id, comparison_rows(learners, arms, test, bootstrap, self.by_era)
            )
            progress(next(done), total)
        replacements = [
            *store.replacements(of_arms, run_id=list(found)),
            store.comparisons(self.cohort, self.task, compared),
        ]
        if learners:
            of_task = {"task": [self.task], "cohort_hash": [self.cohort.cohort_hash]}
            names = [learner.name for learner in learners]  # under other settings too
            replacements += store.replacements(of_learners, **of_task, learner=names)
            replacements += store.replacements({"learner_comparisons": against}, **of_task)
        return Evaluation(found, compared, against, lines, replacements)

    @property
    def operating_point(self) -> OperatingPoint:
        """Alert rate and sensitivity at which arms are compared, from the settings."""
        settings = self.cohort.variables
        return OperatingPoint(settings["alert_rate"], settings["at_sensitivity"])

    @property
    def by_era(self) -> bool:
        """Whether the cohort is split by era."""
        return self.cohort.variables["split_by"] == "era"

    def _questions(self, scored: Sequence[Scored]) -> list[PlannedComparison]:
        fusion = self.cohort.variables["fusion"]
        asked = plan_comparisons(scored, fusion)
        by_name = {each.arm.name: each for each in scored if each.fusion == fusion}
        pairs = [
            (parse_arm(first, self.specs).name, parse_arm(second, self.specs).name)
            for first, second in self.request.compare
        ]
        for names in dict.fromkeys(pairs):
            if names[0] == names[1]:
                raise CharthouseError(f"--compare: {names[0]} with itself. Name two arms.")
            for name in names:
                if name not in by_name:
                    raise CharthouseError(
                        f"--compare: {name} by {fusion} has not scored {self.task}. Run charthouse"
                        f" predict --arm '{name}'."
                    )
            asked.append(PlannedComparison("asked for", by_name[names[0]], by_name[names[1]]))
        return asked

    def _arm_rows(
        self, run_id: str, found: ArmMetrics, test: Stays, bootstrap: Bootstrap
    ) -> dict[str, list[ResultRow]]:
        rows = arm_metrics.rows_by_table(found) | {
            "contributions": self._contribution_rows(found.scored, test, bootstrap),
            "curves": arm_metrics.curve_rows(found.scored, test, bootstrap),
        }
        key = self._key(found.scored) | {"evaluation_run_id": run_id}
        return {table: [key | row for row in of_table] for table, of_table in rows.items()}

    def _learner_rows(
        self, run_id: str, learner: Learner, test: Stays, bootstrap: Bootstrap
    ) -> dict[str, list[ResultRow]]:
        rows = {
            "learner_metrics": metric_rows(learner, test, bootstrap),
            "learner_fairness": fairness_rows(learner, test, bootstrap),
            "learner_contributions": contribution_rows(
                learner, test, bootstrap, self.cohort.profile_sections, self.cohort.shapley_groups
            ),
        }
        key = {"learner": learner.name, "fingerprint": learner.fingerprint}
        return {
            table: self._of_learners(run_id, [key | row for row in of_table])
            for table, of_table in rows.items()
        }

    def _of_learners(self, run_id: str, rows: Sequence[ResultRow]) -> list[ResultRow]:
        """With the columns that all tables of learners have."""
        common = {
            "evaluation_run_id": run_id,
            "task": self.task,
            "cohort_hash": self.cohort.cohort_hash,
        }
        return [common | row for row in rows]

    def _key(self, scored: Scored) -> ResultRow:
        return {
            "run_id": scored.run_id,
            "task": self.task,
            "arm": scored.arm.name,
            "fusion": scored.fusion,
        }

    def _contribution_rows(
        self, scored: Scored, test: Stays, bootstrap: Bootstrap
    ) -> Iterator[ResultRow]:
        """Rows of results.contributions, for fusions that have them.

        None, and a line that says so, where the vectors are not those that the scores are of.
        """
        fusion = make_fusion(self.project, scored.fusion)
        if not fusion.explains or not len(test.stay_ids):
            return
        with open_warehouse(self.warehouse) as db:
            require_same_cohort(db, self.cohort)
            asked = FitKey(self.task, scored.arm, scored.fusion)
            try:
                require_as_fitted(db, self.cohort, scored.run_id, asked, fusion)
            except CharthouseError as error:
                self.say(f"    no contributions: {error}")
                return
            linear = read_linear(db, scored.run_id)
            blocks = [
                read_block(db, self.cohort, self.specs, encoder, self.task, test.stay_ids)
                for encoder in scored.arm.reads
            ]
        x = fusion.matrix(blocks, linear.columns, linear.mean)
        absolute = absolute_contributions(linear, x)
        for population, rows in test.populations.items():
            common = {"split": "test", "population": population, "n": int(rows.sum())}
            for share in shares(absolute, rows, test.subject_ids, bootstrap.n, bootstrap.seed):
                yield common | arm_metrics.statistics_row(share)

    def _compare(
        self,
        run_id: str,
        asked: Sequence[PlannedComparison],
        found: Mapping[str, ArmMetrics],
        n_compared: Mapping[tuple[str, str], int],
    ) -> Sequence[ResultRow]:
        """Rows of results.comparisons, their p-values corrected within each question and fusion."""
        rows: list[ResultRow] = []
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
            populations = populations_of(self.by_era, question.arm.arm, question.other.arm)
            pair = [*difference_rows(arm, other, populations, n_compared[question.family])]
            if question.adds and ALL in populations:
                pair += fairness_difference_rows(arm, other, self.request.attributes)
            rows += [common | row for row in pair]
        return corrected(rows, ("question", "fusion", "population", "attribute", "metric"))

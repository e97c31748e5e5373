"""`charthouse ask`: which learners, how they are reached, and what is said about it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from charthouse.core.cohort import Cohort, read_cohort, require_cohort
from charthouse.core.device import choose_device
from charthouse.core.digest import digest
from charthouse.core.errors import CharthouseError, require_known
from charthouse.core.progress import Say, Watch
from charthouse.core.runs import Run
from charthouse.core.warehouse import open_warehouse
from charthouse.data.xray_files import picture_check
from charthouse.jobs.ask.budget import Budget
from charthouse.jobs.ask.conditions import FULL, coalitions, condition_named
from charthouse.jobs.ask.job import Job, Tally
from charthouse.jobs.ask.journal import Journal, recover
from charthouse.jobs.ask.locked import create_locked
from charthouse.jobs.ask.plan import Plan, Wanted, make_plan, what_is_read
from charthouse.jobs.ask.prompt import Prompt, read_prompt
from charthouse.jobs.ask.questions import Maker
from charthouse.jobs.ask.shots import Shots, draw_shots
from charthouse.jobs.ask.store import mark_current, parse_again
from charthouse.models.learners.base import ANSWER_TOKENS, Respondent
from charthouse.models.learners.connect import Connection, is_in_process, reach, why_absent
from charthouse.models.learners.registry import LearnerSpec, learner_spec, learner_specs
from charthouse.net.guard import Guard
from charthouse.net.openai_api import Usage
from charthouse.net.patience import Patience


@dataclass(frozen=True)
class Options(Connection):
    """What a user may ask of `charthouse ask`, and how the learners are reached."""

    learners: Sequence[str] = ()
    tasks: Sequence[str] = ()  # none: all
    conditions: Sequence[str] = (FULL,)
    shapley: int = 0  # stays asked under all coalitions
    shots: int = 0
    stays: int | None = None
    prompt: str = "paper"
    max_cost: float | None = None
    seed: int = 0
    dry_run: bool = False
    parse_only: bool = False


def ask(
    project: Path,
    warehouse: Path,
    options: Options,
    *,
    say: Say,
    watch: Watch,
    patience: Patience | None = None,
) -> None:
    """Puts the questions of the tasks to each learner; what has been answered is not asked again.

    Args:
        project: folder of dbt_project.yml.
        warehouse: the DuckDB file.
        options: what the user asked.
        say: told one line at a time.
        watch: shows progress.
        patience: when a server is asked again.

    Raises:
        CharthouseError: a learner cannot be asked (any more); every answer that came is kept.
    """
    with open_warehouse(warehouse) as db:
        cohort = read_cohort(db)
        questions = _questions(db, cohort)
    say(f"{cohort.describe()} in {warehouse}")
    if not options.dry_run:
        recover(warehouse, say)
        with open_warehouse(warehouse, read_only=False) as db:
            again = parse_again(db)
        if again:
            say(f"  {again} answers were read again by a newer parser.")
        elif options.parse_only:
            say("  no answer is kept that this parser has not read: nothing is to be done.")
    if options.parse_only:
        return
    specs = _chosen(project, options)
    tasks = _tasks(cohort, questions, options, say)
    options = replace(options, device=choose_device(options.device))
    prompt = read_prompt(options.prompt)
    wanted = Wanted(
        tasks=tasks,
        conditions=[
            condition_named(name, cohort.players) for name in dict.fromkeys(options.conditions)
        ],
        sampled=coalitions(cohort.players) if options.shapley else (),
        sample=options.shapley,
        stays=options.stays,
        seed=options.seed,
    )
    with open_warehouse(warehouse) as db:
        require_cohort(db, cohort)
        shots = {
            task: draw_shots(db, prompt, task, questions[task], options.shots, options.seed)
            for task in questions
        }
    asking = _Asking(
        warehouse, cohort, options, wanted, prompt, questions, shots, say, watch, patience,
        Budget(options.max_requests, options.max_cost), Usage(),
    )  # fmt: skip
    for spec in specs:
        asking.ask(spec)


def _questions(db: duckdb.DuckDBPyConnection, cohort: Cohort) -> dict[str, str]:
    """The question of each task of the cohort that has one, in the order of the tasks."""
    written = dict(
        db.execute("select task, question from seeds.tasks where question is not null").fetchall()
    )
    return {task: written[task] for task in cohort.tasks if task in written}


def _tasks(
    cohort: Cohort, questions: Mapping[str, str], options: Options, say: Say
) -> Sequence[str]:
    """Those asked for that have a question; a length of stay by another threshold has none.

    Raises:
        CharthouseError: a task is unknown, or none that is asked for has a question.
    """
    for task in options.tasks:
        require_known("--task", task, cohort.tasks)
    asked = options.tasks or cohort.tasks
    mend = "Write one into seeds/tasks.csv, then charthouse build."
    if mute := [task for task in asked if task not in questions]:
        if len(mute) == len(asked):
            raise CharthouseError(f"No question is known for {', '.join(mute)}. {mend}")
        say(f"  not asked, without a question: {', '.join(mute)}. {mend}")
    return [task for task in asked if task in questions]


def _chosen(project: Path, options: Options) -> list[LearnerSpec]:
    """The learners that were named; none runs unasked."""
    known = learner_specs(project)
    if not options.learners:
        raise CharthouseError(f"Name a learner: --learner, one of {', '.join(known)}.")
    if options.model is not None and len(options.learners) > 1:
        raise CharthouseError("--model is the name of one learner at a server. Ask one at a time.")
    specs = [learner_spec(project, name) for name in dict.fromkeys(options.learners)]
    if options.model is not None and is_in_process(specs[0], options):
        raise CharthouseError("--model is a name at a server. Name the server too: --base-url.")
    for spec in specs:
        if options.max_cost is not None and spec.usd_per_million_input is None:
            raise CharthouseError(
                f"--max-cost: {spec.learner} has no price. Write it into seeds/learners.csv, or use"
                " --max-requests."
            )
    return specs


@dataclass(frozen=True)
class _Asking:
    """The questions of a command, put to one learner after the other."""

    warehouse: Path
    cohort: Cohort
    options: Options
    wanted: Wanted
    prompt: Prompt
    questions: Mapping[str, str]
    shots: Mapping[str, Shots]
    say: Say
    watch: Watch
    patience: Patience | None
    budget: Budget
    usage: Usage

    def ask(self, spec: LearnerSpec) -> None:
        """Plans and asks; says what came of it.

        Raises:
            CharthouseError: it cannot be asked, or somebody else is asking it.
        """
        if self.options.dry_run and (absent := why_absent(spec, self.options)):
            self.say(f"  {spec.learner}: not ready, {absent}")
            return
        guard = Guard(self.cohort.data_kind)
        respondent = reach(
            spec,
            self.options,
            guard,
            self.usage,
            self.patience,
            image_detail=self.cohort.variables.get("image_detail", "high"),
        )
        fingerprint = self._fingerprint(spec, respondent)
        plan = make_plan(
            self.warehouse,
            self.cohort,
            spec.learner,
            fingerprint,
            {task: self._hash_of_words(task) for task in self.questions},
            self.wanted,
        )
        if self.options.dry_run:
            self.say(f"  {_intention(spec, respondent, plan, self.options)}")
            return
        with _alone(self.warehouse, spec.learner):
            self._ask(spec, guard, respondent, fingerprint, plan)

    def _ask(
        self,
        spec: LearnerSpec,
        guard: Guard,
        respondent: Respondent,
        fingerprint: str,
        plan: Plan,
    ) -> None:
        with self._run(spec, respondent, fingerprint, plan) as run:
            journal = Journal(self.warehouse, run.run_id)
            guard.log = journal.send
            job = Job(
                run_id=run.run_id,
                warehouse=self.warehouse,
                cohort=self.cohort,
                spec=spec,
                fingerprint=fingerprint,
                respondent=respondent,
                prompt=self.prompt,
                maker=Maker(
                    respondent,
                    self.prompt,
                    self.questions,
                    self.shots,
                    picture_check(self.cohort.data_kind),
                ),
                journal=journal,
                budget=self.budget,
            )
            run.is_complete = False
            try:
                with self.watch(spec.learner, len(plan.todo)) as progress:
                    job.run(plan, progress)
                journal.close()
                run.is_complete = not job.tally.left
            except BaseException:
                with suppress(CharthouseError):  # what ended the run is the better message
                    journal.close()
                raise
            finally:
                run.counts = job.tally.counts()
                if job.tally.asked or run.is_complete:
                    self.say(f"  {spec.learner}: {_summary(job.tally, plan)}")

    def _fingerprint(self, spec: LearnerSpec, respondent: Respondent) -> str:
        """Of the settings: of all that an answer depends on, whatever is asked about whom."""
        options = self.options
        return digest(
            spec.learner,
            respondent.identity(),
            respondent.context_tokens,
            self.prompt.hash,
            ANSWER_TOKENS,
            [options.shots, options.seed] if options.shots else None,
        )

    def _hash_of_words(self, task: str) -> str:
        """Of what is asked about every stay alike."""
        examples = [message.text for message in self.shots[task].messages]
        return digest(self.questions[task], examples)

    def _run(self, spec: LearnerSpec, respondent: Respondent, fingerprint: str, plan: Plan) -> Run:
        wanted = self.wanted
        settings = {
            **respondent.identity(),
            "endpoint": respondent.sends_to(),
            "prompt": self.prompt.name,
            "prompt_version": self.prompt.version,
            "prompt_hash": self.prompt.hash,
            "answer_tokens": ANSWER_TOKENS,
            "tasks": list(wanted.tasks),
            "conditions": sorted({each.name for each in (*wanted.conditions, *wanted.sampled)}),
            "stays": wanted.stays,
            "sample": wanted.sample,
            "shots": [
                {"task": task, "stay_id": stay_id}
                for task in wanted.tasks
                for stay_id in self.shots[task].stay_ids
            ],
        }

        def on_start(db: duckdb.DuckDBPyConnection) -> None:
            if others := mark_current(db, spec.learner, fingerprint, plan.current):
                self.say(
                    f"  {spec.learner}: {others} answers under other settings are kept; those under"
                    " the settings of the last run that has any are what stands."
                )

        return Run(
            warehouse=self.warehouse,
            cohort=self.cohort,
            kind="ask",
            name=spec.learner,
            seed=wanted.seed,
            settings=settings,
            fingerprint=fingerprint,
            reads=what_is_read(self.cohort, *wanted.tasks),
            revision=settings["revision"],
            device="server" if respondent.sends_to() else self.options.device,
            on_start=on_start,
        )


@contextmanager
def _alone(warehouse: Path, learner: str) -> Iterator[None]:
    """No two runs ask the same learner: each question would be asked twice.

    Raises:
        CharthouseError: another run is at it.
    """
    path = warehouse.with_name(f"{warehouse.name}.ask-{learner}.lock")
    try:
        file = create_locked(path, 0o600)
    except OSError as error:
        raise CharthouseError(
            f"{path}: cannot be written ({error.strerror}). Mend the folder's rights."
        ) from None
    if file is None:
        raise CharthouseError(f"Another run is asking {learner}. Wait for it, or end it.")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        file.close()


def _intention(spec: LearnerSpec, respondent: Respondent, plan: Plan, options: Options) -> str:
    by = respondent.sends_to()
    now = len(plan.todo) if options.max_requests is None else options.max_requests
    return (
        f"{spec.learner}: would put {min(now, len(plan.todo))} questions"
        + (f" to {by}" if by else " in process")
        + f"; {plan.answered} are answered already."
    )


def _summary(tally: Tally, plan: Plan) -> str:
    rate = tally.asked / tally.seconds if tally.seconds else 0.0
    said = ", ".join(f"{tally.parsed[word]} {word}" for word in ("yes", "no", "none"))
    errors = sum(tally.errors.values())
    worst = f" (mostly: {tally.errors.most_common(1)[0][0]})" if errors else ""
    return (
        f"{tally.asked} asked ({said}), {plan.answered} kept"
        + (f", {errors} without an answer{worst}" if errors else "")
        + (f", {tally.without_picture} without a picture" if tally.without_picture else "")
        + (f", {tally.shortened} shortened" if tally.shortened else "")
        + (f", {tally.left} left" if tally.left else "")
        + (f", ${tally.cost_usd:.4f}" if tally.cost_usd else "")
        + f", {tally.seconds:.1f} s"
        + (f" ({rate:.1f} a second)" if tally.asked else "")
    )

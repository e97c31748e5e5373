"""`charthouse ask`: which learners, how they are reached, and what is said about it."""

import time
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import duckdb

from charthouse.core.cohort import Cohort, read_cohort, require_same_cohort
from charthouse.core.device import choose_device
from charthouse.core.digest import digest
from charthouse.core.errors import CharthouseError, require_known
from charthouse.core.progress import PrintLine, ProgressBar
from charthouse.core.runs import Run, new_run_id
from charthouse.core.warehouse import LockHeldError, open_warehouse
from charthouse.jobs.ask.budget import Budget
from charthouse.jobs.ask.few_shot import draw_examples
from charthouse.jobs.ask.job import Job, Tally
from charthouse.jobs.ask.plan import Plan, make_plan, what_is_read
from charthouse.jobs.ask.prompt import read_prompt
from charthouse.jobs.ask.request import AskRequest, AskSession
from charthouse.jobs.ask.store import WRITERS, mark_current, parse_again
from charthouse.models.learners.base import ANSWER_TOKENS, LearnerBackend
from charthouse.models.learners.connect import is_in_process, reach, why_absent
from charthouse.models.learners.registry import LearnerSpec, learner_spec, learner_specs
from charthouse.net.guard import Guard
from charthouse.net.openai_api import Usage
from charthouse.net.outbox import Outbox, recover


def ask(
    project: Path, warehouse: Path, request: AskRequest, *, say: PrintLine, watch: ProgressBar
) -> None:
    """Puts the questions of the tasks to each learner; what has been answered is not asked again.

    Raises:
        CharthouseError: a learner cannot be asked (any more); every answer that came is kept.
    """
    with open_warehouse(warehouse) as db:
        cohort = read_cohort(db)
        questions = _questions(db, cohort)
        default = _default_tasks(db)
    say(f"{cohort.describe()} in {warehouse}")
    if not request.dry_run:
        recover(warehouse, say, WRITERS)
        with open_warehouse(warehouse, read_only=False) as db:
            again = parse_again(db)
        if again:
            say(f"  {again} answers were read again by a newer parser.")
        elif request.parse_only:
            say("  no answer is kept that this parser has not read: nothing is to be done.")
    if request.parse_only:
        return
    specs = _chosen(project, request)
    tasks = _tasks(cohort, questions, default, request, say)
    request = replace(request, tasks=tasks, device=choose_device(request.device))
    prompt = read_prompt(request.prompt)
    with open_warehouse(warehouse) as db:
        require_same_cohort(db, cohort)
        examples = {}
        # of tasks that are not asked now too, so that their answers of before count as current
        for task, question in questions.items():
            try:
                examples[task] = draw_examples(
                    db, prompt, task, question, request.shots, request.seed
                )
            except CharthouseError:
                if task in tasks:
                    raise
    questions = {task: questions[task] for task in examples}
    budget, usage = Budget(request.max_requests, request.max_cost), Usage()
    session = AskSession(warehouse, cohort, request, prompt, questions, examples, budget, usage)
    for spec in specs:
        _ask_learner(session, spec, say, watch)


def _questions(db: duckdb.DuckDBPyConnection, cohort: Cohort) -> dict[str, str]:
    """The question of each task of the cohort that has one, in the order of the tasks."""
    written = dict(
        db.execute("select task, question from seeds.tasks where question is not null").fetchall()
    )
    return {task: written[task] for task in cohort.tasks if task in written}


def _default_tasks(db: duckdb.DuckDBPyConnection) -> set[str]:
    rows = db.execute("select task from seeds.tasks where asked_by_default").fetchall()
    return {task for (task,) in rows}


def _tasks(
    cohort: Cohort,
    questions: Mapping[str, str],
    default: Set[str],
    request: AskRequest,
    say: PrintLine,
) -> Sequence[str]:
    """Those asked for that have a question; a length of stay by another threshold has none.

    Unless tasks are named, the default ones alone: a new task must not cost anybody unasked.
    """
    for task in request.tasks:
        require_known("--task", task, cohort.tasks)
    if request.tasks and request.all_tasks:
        raise CharthouseError("--task and --all-tasks contradict each other. Give one of them.")
    if not (request.tasks or request.all_tasks):
        asked = [task for task in questions if task in default]
        if not asked:
            raise CharthouseError(
                "No task is asked by default (asked_by_default in seeds/registries/tasks.csv)."
                " Name one by --task, or ask all by --all-tasks."
            )
        if absent := sorted(default - {*cohort.tasks}):
            say(f"  not asked, no task of this cohort: {', '.join(absent)}")
        if others := [task for task in questions if task not in default]:
            say(f"  not asked unless named by --task, or by --all-tasks: {', '.join(others)}")
        return asked
    asked = list(request.tasks or cohort.tasks)
    mend = "Write one into seeds/registries/tasks.csv, then charthouse build."
    if mute := [task for task in asked if task not in questions]:
        if len(mute) == len(asked):
            raise CharthouseError(f"No question is known for {', '.join(mute)}. {mend}")
        say(f"  not asked, without a question: {', '.join(mute)}. {mend}")
    return [task for task in asked if task in questions]


def _chosen(project: Path, request: AskRequest) -> list[LearnerSpec]:
    """The learners that were named; none runs unasked."""
    known = learner_specs(project)
    if not request.learners:
        raise CharthouseError(f"Name a learner: --learner, one of {', '.join(known)}.")
    if request.model is not None and len(request.learners) > 1:
        raise CharthouseError("--model is the name of one learner at a server. Ask one at a time.")
    specs = [learner_spec(project, name) for name in dict.fromkeys(request.learners)]
    if request.model is not None and is_in_process(specs[0], request):
        raise CharthouseError("--model is a name at a server. Name the server too: --base-url.")
    for spec in specs:
        if request.max_cost is not None and spec.usd_per_million_input is None:
            raise CharthouseError(
                f"--max-cost: {spec.learner} has no price. Write it into"
                " seeds/registries/learners.csv, or use --max-requests."
            )
    return specs


def _ask_learner(
    session: AskSession, spec: LearnerSpec, say: PrintLine, watch: ProgressBar
) -> None:
    request, cohort = session.request, session.cohort
    guard = Guard(cohort.data_kind)
    try:
        backend = _backend(session, spec, guard)
    except CharthouseError as error:
        if not request.dry_run:
            raise
        n = len(make_plan(session, spec.learner, fingerprint="").todo)
        say(f"  {spec.learner}: would put at most {n} questions, but is not ready: {error}")
        return
    fingerprint = _fingerprint(session, spec, backend)
    if request.dry_run:
        plan = make_plan(session, spec.learner, fingerprint)
        say(f"  {_intention(spec, backend, plan, request)}")
        return
    outbox = Outbox(session.warehouse, f"ask-{spec.learner}", WRITERS, new_run_id("ask"))
    _take(outbox, spec.learner)
    with outbox:
        outbox.flush()  # of a run that was killed since `recover`
        guard.log = outbox.record
        plan = make_plan(session, spec.learner, fingerprint)
        with _run(session, spec, backend, fingerprint, plan, outbox.run_id, say) as run:
            job = Job(session, spec, backend, fingerprint, outbox)
            run.is_complete = False
            try:
                with watch(spec.learner, len(plan.todo)) as progress:
                    job.run(plan, progress)
                outbox.flush()
                run.is_complete = not job.tally.left
            finally:
                run.counts = job.tally.counts()
                if job.tally.asked or run.is_complete:
                    say(f"  {spec.learner}: {_summary(job.tally, plan)}")


def _backend(session: AskSession, spec: LearnerSpec, guard: Guard) -> LearnerBackend:
    """How the learner is reached; a dry run fetches no weights to find out what they are.

    Raises:
        CharthouseError: it is not ready: no weights, no key, or the guard refuses its host.
    """
    request = session.request
    if request.dry_run and (absent := why_absent(spec, request)):
        raise CharthouseError(absent)
    detail = session.cohort.variables["image_detail"]
    return reach(spec, request, guard, session.usage, image_detail=detail)


def _take(outbox: Outbox, learner: str) -> None:
    """Opens it for this run alone: two would ask each question twice."""
    for _ in range(20):  # a run of another learner may look into it, for a moment
        with suppress(LockHeldError):
            outbox.open()
            return
        time.sleep(0.1)
    raise CharthouseError(f"Another run is asking {learner}. Wait for it, or end it.")


def _fingerprint(session: AskSession, spec: LearnerSpec, backend: LearnerBackend) -> str:
    """Of the settings: of all that an answer depends on, whatever is asked about whom."""
    request = session.request
    return digest(
        spec.learner,
        backend.identity(),
        backend.context_tokens,
        session.prompt.hash,
        ANSWER_TOKENS,
        [request.shots, request.seed] if request.shots else None,
    )


def _run(
    session: AskSession,
    spec: LearnerSpec,
    backend: LearnerBackend,
    fingerprint: str,
    plan: Plan,
    run_id: str,
    say: PrintLine,
) -> Run:
    request, prompt, cohort = session.request, session.prompt, session.cohort
    conditions = (
        *request.conditions_of_every_stay(cohort.profile_sections),
        *request.conditions_of_a_sample(cohort.profile_sections, cohort.shapley_groups),
    )
    settings = {
        **backend.identity(),
        "endpoint": backend.sends_to(),
        "prompt": prompt.name,
        "prompt_version": prompt.version,
        "prompt_hash": prompt.hash,
        "answer_tokens": ANSWER_TOKENS,
        "tasks": list(request.tasks),
        "conditions": sorted({each.name for each in conditions}),
        "stays": request.stays,
        "sample": request.shapley,
        "shots": [
            {"task": task, "stay_id": stay_id}
            for task in request.tasks
            for stay_id in session.examples[task].stay_ids
        ],
    }

    def on_start(db: duckdb.DuckDBPyConnection) -> None:
        if others := mark_current(db, spec.learner, fingerprint, plan.current):
            say(
                f"  {spec.learner}: {others} answers under other settings are kept; those under the"
                " settings of the last run that has any are what stands."
            )

    return Run(
        warehouse=session.warehouse,
        cohort=session.cohort,
        kind="ask",
        name=spec.learner,
        seed=request.seed,
        settings=settings,
        fingerprint=fingerprint,
        reads=what_is_read(session.cohort, *request.tasks),
        revision=settings["revision"],
        device="server" if backend.sends_to() else request.device,
        on_start=on_start,
        run_id=run_id,
    )


def _intention(spec: LearnerSpec, backend: LearnerBackend, plan: Plan, request: AskRequest) -> str:
    by = backend.sends_to()
    now = len(plan.todo) if request.max_requests is None else request.max_requests
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

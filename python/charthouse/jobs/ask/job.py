"""Asks a learner what its plan says, and keeps every answer the moment it comes."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from signal import SIGINT, default_int_handler, getsignal, signal
from typing import Any

from charthouse.core.cohort import require_same_cohort
from charthouse.core.errors import CharthouseError
from charthouse.core.prefetch import prefetch_map
from charthouse.core.progress import ProgressCallback
from charthouse.core.warehouse import open_warehouse
from charthouse.jobs.ask.parse import PARSER_VERSION, parse
from charthouse.jobs.ask.plan import Plan, PlannedQuestion, what_is_read
from charthouse.jobs.ask.profile import Section, read_profiles
from charthouse.jobs.ask.questions import BuiltPrompt, PromptBuilder
from charthouse.jobs.ask.request import AskSession
from charthouse.models.learners.base import ANSWER_TOKENS, Failed, LearnerBackend, Question, Reply
from charthouse.models.learners.registry import LearnerSpec
from charthouse.net.outbox import Outbox

STAYS_READ_AT_ONCE = 256
FLUSH_SECONDS = 5.0
BUILDERS = 2  # threads that decode pictures
BUILT_AHEAD = 8


@dataclass
class Tally:
    """What a run has done."""

    asked: int = 0
    parsed: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    without_picture: int = 0
    shortened: int = 0
    requests: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0
    cost_usd: float = 0.0
    seconds: float = 0.0
    left: int = 0

    def counts(self) -> dict[str, Any]:
        """For results.runs."""
        return {**vars(self), "parsed": dict(self.parsed), "errors": dict(self.errors)} | {
            "cost_usd": round(self.cost_usd, 6),
            "seconds": round(self.seconds, 1),
        }


class Job:
    """One run of `charthouse ask` with one learner."""

    def __init__(
        self,
        session: AskSession,
        spec: LearnerSpec,
        backend: LearnerBackend,
        fingerprint: str,
        outbox: Outbox,
    ) -> None:
        self._session, self._spec, self._backend = session, spec, backend
        self._fingerprint, self._outbox = fingerprint, outbox
        self._builder = PromptBuilder(backend, session)
        self._identity = backend.identity()
        self._made: dict[str, BuiltPrompt] = {}  # on their way, by question hash
        self._counting = threading.Lock()
        self._opening = threading.Lock()  # DuckDB opens a file one way at a time in a process
        self._is_over = threading.Event()
        self._interrupted = threading.Event()
        self.tally = Tally()

    def run(self, plan: Plan, progress: ProgressCallback) -> None:
        """Asks until all is asked, the budget is spent, or somebody interrupts.

        Raises:
            KeyboardInterrupt: after what was on its way has come and is kept.
            CharthouseError: nothing more can be asked; what was answered is kept.
        """
        began = time.monotonic()

        def keep(question: Question, outcome: Reply | Failed) -> None:
            self._keep(self._made.pop(question.key), outcome)
            progress(self.tally.asked, len(plan.todo))

        moving = threading.Thread(target=self._move_now_and_then, name="outbox")
        before = self._session.usage.requests
        try:
            moving.start()
            with _first_interrupt_waits(self._stop):
                self._backend.ask(self._questions(plan), keep)
        finally:
            self._is_over.set()
            self.tally.seconds = time.monotonic() - began
            self.tally.left = len(plan.todo) - self.tally.asked
            # of a question that was broken off nothing is kept, but its requests have left
            sent = self._session.usage.requests - before
            self.tally.requests = max(self.tally.requests, sent)
            if moving.ident is not None:
                moving.join()
        if self._interrupted.is_set():
            raise KeyboardInterrupt

    def _stop(self) -> None:
        self._interrupted.set()
        self._backend.stop()

    def _move_now_and_then(self) -> None:
        """In a thread of its own: a warehouse in use by somebody else holds up nothing."""
        while not self._is_over.wait(FLUSH_SECONDS):
            # what cannot be moved now waits for the next time, or the end
            with suppress(CharthouseError), self._opening:
                self._outbox.flush(self._is_over.is_set)

    def _questions(self, plan: Plan) -> Iterator[Question]:
        """Made while others are answered; ends when it is enough."""
        made = prefetch_map(
            lambda each: self._builder.build(*each),
            self._with_profiles(plan),
            BUILDERS,
            BUILT_AHEAD,
        )
        for each in made:
            if self._interrupted.is_set():
                return
            if each.question is None:
                self._keep(each, Failed(each.why_not or "", attempts=0))
                continue
            if not self._session.budget.take(self._price(each.tokens, ANSWER_TOKENS)):
                return
            self._made[each.question.key] = each
            yield each.question

    def _with_profiles(self, plan: Plan) -> Iterator[tuple[PlannedQuestion, tuple[Section, ...]]]:
        for start in range(0, len(plan.todo), STAYS_READ_AT_ONCE):
            some = plan.todo[start : start + STAYS_READ_AT_ONCE]
            try:
                with (
                    self._opening,
                    open_warehouse(
                        self._session.warehouse, stop_waiting=self._interrupted.is_set
                    ) as db,
                ):
                    require_same_cohort(db, self._session.cohort)
                    profiles = read_profiles(db, sorted({planned.stay_id for planned in some}))
            except CharthouseError:
                if self._interrupted.is_set():
                    return
                raise
            for planned in some:
                yield planned, profiles[planned.stay_id]

    def _price(self, prompt_tokens: int, answer_tokens: int) -> float:
        spec = self._spec
        return (
            prompt_tokens * (spec.usd_per_million_input or 0)
            + answer_tokens * (spec.usd_per_million_output or 0)
        ) / 1e6

    def _keep(self, made: BuiltPrompt, outcome: Reply | Failed) -> None:
        """Writes a row of results.answers down, and counts it."""
        planned, tally = made.planned, self.tally
        row: dict[str, Any] = {
            "run_id": self._outbox.run_id,
            "learner": self._spec.learner,
            "fingerprint": self._fingerprint,
            "reads": what_is_read(self._session.cohort, planned.task),
            "task": planned.task,
            "condition": planned.condition.name,
            "stay_id": planned.stay_id,
            "question_hash": planned.question_hash,
            "model": self._identity["model"],
            "revision": self._identity["revision"],
            "dtype": self._identity["dtype"],
            "endpoint": self._backend.sends_to() or "in process",
            "prompt": self._session.prompt.name,
            "prompt_version": self._session.prompt.version,
            "prompt_hash": self._session.prompt.hash,
            "dicom_id": made.dicom_id,
            "image_hash": made.image_hash,
            "image_note": made.image_note,
            "dropped": made.dropped,
            "seconds": round(outcome.seconds, 4),
            "attempt": planned.attempts + outcome.attempts,
            "asked_at": datetime.now(UTC).replace(tzinfo=None).isoformat(),
        }
        most = self._price(made.tokens, ANSWER_TOKENS)
        cost = 0.0
        if isinstance(outcome, Failed):
            row |= {"status": "error", "error": outcome.reason}
            cost = most if outcome.is_answered else 0.0  # an answer that is of no use is paid for
        else:
            # what no file can hold is no part of an answer
            text = outcome.text.encode("utf-8", "replace").decode()
            is_told = outcome.prompt_tokens is not None and outcome.answer_tokens is not None
            cost = self._price(outcome.prompt_tokens or 0, outcome.answer_tokens or 0)
            cost = cost if is_told else most  # what nobody tells is reckoned at its highest
            row |= {
                "status": "answered",
                "answer": text,
                "parsed": parse(text),
                "parser_version": PARSER_VERSION,
                "resolved_model": outcome.resolved_model,
                "p_yes": outcome.p_yes,
                "yes_no_mass": outcome.yes_no_mass,
                "prompt_tokens": outcome.prompt_tokens,
                "answer_tokens": outcome.answer_tokens,
                "cost_usd": cost if self._spec.usd_per_million_input is not None else None,
            }
        self._outbox.add("answer", row)
        if made.question is not None:
            self._session.budget.settle(most, cost)
        with self._counting:
            tally.asked += 1
            tally.requests += outcome.attempts
            tally.shortened += made.dropped > 0
            tally.without_picture += made.image_hash is None
            tally.cost_usd += cost
            if isinstance(outcome, Failed):
                tally.errors[outcome.reason] += 1
            else:
                tally.parsed[str(row["parsed"])] += 1
                tally.prompt_tokens += outcome.prompt_tokens or 0
                tally.answer_tokens += outcome.answer_tokens or 0


@contextmanager
def _first_interrupt_waits(stop: Callable[[], None]) -> Iterator[None]:
    """The first Ctrl-C calls stop, the second one interrupts; only where we are the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(*_: object) -> None:
        signal(SIGINT, default_int_handler)
        stop()

    before = getsignal(SIGINT)
    signal(SIGINT, handle)
    try:
        yield
    finally:
        signal(SIGINT, before)

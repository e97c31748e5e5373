"""From a planned question to what a learner gets: profile, picture, and what had to be left out."""

import threading
from bisect import bisect_left
from dataclasses import dataclass, field
from functools import cache, partial

import PIL.Image

from charthouse.core.errors import CharthouseError
from charthouse.data.xray_files import Unreadable, picture_check, stat_of
from charthouse.jobs.ask.pictures import at_size_of, blank_like, hash_of
from charthouse.jobs.ask.plan import PlannedQuestion
from charthouse.jobs.ask.profile import Section, droppable, render, shown, without_oldest
from charthouse.jobs.ask.request import AskSession
from charthouse.models.learners.base import ANSWER_TOKENS, LearnerBackend, Message, Question

NO_PICTURE = "no X-ray in the window"


@dataclass(frozen=True)
class BuiltPrompt:
    """A question, and what is kept of how it was made."""

    planned: PlannedQuestion
    question: Question | None = field(repr=False)  # None where it cannot be asked
    why_not: str | None = None  # then why
    dicom_id: str | None = None  # of the X-ray that is shown; None for none, or a blank
    image_hash: str | None = None  # of the pixels shown
    image_note: str | None = None  # why none is shown
    dropped: int = 0  # lines of the profile, the oldest, that did not fit into the context
    tokens: int = 0  # of the question, at most


class PromptBuilder:
    """Makes the questions to one learner; may be used by several threads."""

    def __init__(self, backend: LearnerBackend, session: AskSession) -> None:
        self._backend, self._session = backend, session
        self._check = picture_check(session.cohort.data_kind)  # before it is opened
        self._counting = threading.Lock()  # tokenizers and processors promise nothing

    def build(self, planned: PlannedQuestion, sections: tuple[Section, ...]) -> BuiltPrompt:
        """A question that fits into the learner's context, or the reason why there is none."""
        picture, note = self._picture(planned)
        if (
            picture is None
            and planned.condition.picture != "none"
            and planned.condition.needs_picture
        ):
            return BuiltPrompt(
                planned, None, why_not=f"its picture cannot be shown: {note}", image_note=note
            )
        told = shown(sections, planned.condition.sections, with_picture=picture is not None)
        fitting = self._least_dropped(planned.task, told, picture)
        if fitting is None:
            return BuiltPrompt(
                planned, None, why_not="it does not fit into the context", image_note=note
            )
        dropped, tokens = fitting
        messages = self._messages(planned.task, without_oldest(told, dropped), picture)
        is_own = picture is not None and planned.condition.picture != "blank"
        return BuiltPrompt(
            planned,
            Question(planned.question_hash, messages, picture),
            dicom_id=planned.shown.dicom_id if planned.shown is not None and is_own else None,
            image_hash=hash_of(picture) if picture is not None else None,
            image_note=note,
            dropped=dropped,
            tokens=tokens,
        )

    def _picture(self, planned: PlannedQuestion) -> tuple[PIL.Image.Image | None, str | None]:
        """What is shown, or why nothing is."""
        if planned.condition.picture == "none":
            return None, "withheld"
        if planned.shown is None:
            return None, NO_PICTURE
        if stat_of(planned.shown.path) != planned.shown.stat:
            # what is asked now would stand for what was planned
            raise CharthouseError(
                f"{planned.shown.path} has gone or changed since this run began. Mount the disk,"
                " then run again: answers are kept."
            )
        self._check(planned.shown.path)
        try:
            picture = at_size_of(planned.shown.path, self._backend.family.picture_size)
        except Unreadable as error:
            return None, str(error)
        return (blank_like(picture) if planned.condition.picture == "blank" else picture), None

    def _messages(
        self, task: str, told: tuple[Section, ...], picture: PIL.Image.Image | None
    ) -> tuple[Message, ...]:
        prompt = self._session.prompt
        text = prompt.ask(render(told), self._session.questions[task])
        return (
            Message("system", prompt.system),
            *self._session.examples[task].messages,
            Message("user", text, has_picture=picture is not None),
        )

    def _least_dropped(
        self, task: str, told: tuple[Section, ...], picture: PIL.Image.Image | None
    ) -> tuple[int, int] | None:
        """How many lines must go, the oldest first, for it to fit, and the tokens that are left.

        None: it never fits.
        """
        most = self._backend.context_tokens - ANSWER_TOKENS
        tokens = cache(partial(self._tokens, task, told, picture))

        def fits(dropped: int) -> bool:
            return tokens(dropped) <= most

        numbers = range(droppable(told) + 1)
        dropped = 0 if fits(0) else bisect_left(numbers, True, lo=1, key=fits)
        return (dropped, tokens(dropped)) if dropped in numbers else None

    def _tokens(
        self, task: str, told: tuple[Section, ...], picture: PIL.Image.Image | None, dropped: int
    ) -> int:
        messages = self._messages(task, without_oldest(told, dropped), picture)
        with self._counting:
            return self._backend.count_tokens(messages, picture)

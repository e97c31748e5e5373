"""Any learner behind a server that speaks OpenAI's chat completions: vLLM, Azure, OpenAI, others.

OpenAI, "Chat Completions" API reference, as of openai 3.54. Every request passes the data-use
guard.
"""

import base64
import io
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import PIL.Image

from charthouse.core.errors import CharthouseError
from charthouse.models.learners.base import (
    ANSWER_TOKENS,
    Failed,
    Family,
    Keep,
    LearnerBackend,
    Message,
    Question,
    Reply,
)
from charthouse.models.learners.first_token import from_top
from charthouse.models.learners.registry import LearnerSpec
from charthouse.models.weights import damage_told, local_weights
from charthouse.net.answers import ChatCompletion, read_answer
from charthouse.net.openai_api import Service
from charthouse.net.retry import REFUSED, GaveUp, RefusedInput, Stopped

TOP = 20  # log-probabilities a token; no service gives more
MESSAGE_TOKENS = 8  # what a chat template adds to a message, at most
LEAST_FAILURES = 8  # in a row, before the run is called off


class Served(LearnerBackend):
    """A learner by the name `model` at a server; a few refuse to be asked for log-probabilities."""

    def __init__(
        self,
        spec: LearnerSpec,
        family: Family,
        service: Service,
        model: str,
        with_log_probabilities: bool,
    ) -> None:
        self.family = family
        self.context_tokens = spec.context_tokens
        self._service, self._model = service, model
        self._with_log_probabilities = with_log_probabilities
        self._tokens = token_counter(spec)
        self._counting = threading.Lock()
        self._is_over = threading.Event()
        self._fault: BaseException | None = None
        self._failures, self._has_answered = 0, False

    def identity(self) -> dict[str, Any]:
        """The weights cannot be hashed: the model's name stands for them, whoever serves it."""
        return (
            {"model": self._model, "revision": None, "dtype": None, "by": "server"}
            | {"log_probabilities": self._with_log_probabilities}
            | ({"image_detail": self.family.detail} if self.family.detail else {})
        )

    def sends_to(self) -> str | None:
        """The host, with its port; this machine's too."""
        return self._service.host

    def count_tokens(self, messages: Sequence[Message], picture: PIL.Image.Image | None) -> int:
        """By the model's own tokenizer where that is on this machine, else an upper estimate."""
        count = self._tokens or self.family.text_tokens
        total = sum(count(message.text) + MESSAGE_TOKENS for message in messages) + MESSAGE_TOKENS
        return total + (self.family.picture_tokens(*picture.size) if picture else 0)

    def ask(self, questions: Iterable[Question], keep: Keep) -> None:
        """As many requests at a time as the service allows.

        What is stopped, or left when no requests are allowed any more, has no outcome.
        """
        left = iter(questions)
        slots = threading.Semaphore(2 * self._service.in_flight)  # no thread waits for the next one
        with ThreadPoolExecutor(self._service.in_flight, thread_name_prefix="ask") as pool:
            try:
                while True:
                    slots.acquire()
                    if self._is_over.is_set() or (question := next(left, None)) is None:
                        break
                    pool.submit(self._answer, question, keep, slots)
            except BaseException as error:  # of the questions, or an interrupt
                self._end(error)
        if self._fault is not None:
            raise self._fault

    def stop(self) -> None:
        """Nobody shall wait to ask again, and what waits is not asked; the rest is waited for."""
        self._is_over.set()
        self._service.stop()

    def _end(self, fault: BaseException) -> None:
        """The first fault is the one that is told."""
        with self._counting:
            self._fault = self._fault or fault
        self.stop()

    def _answer(self, question: Question, keep: Keep, slots: threading.Semaphore) -> None:
        try:
            if not self._is_over.is_set() and (outcome := self._ask(question)) is not None:
                keep(question, outcome)
                self._count(outcome)
        except BaseException as error:
            self._end(error)
        finally:
            slots.release()

    def _count(self, outcome: Reply | Failed) -> None:
        """Calls the run off where nothing is answered any more."""
        with self._counting:
            if isinstance(outcome, Reply):
                self._failures, self._has_answered = 0, True
            elif not (outcome.is_about_it and self._has_answered):
                self._failures += 1
            failures = self._failures
        if isinstance(outcome, Failed) and failures >= max(LEAST_FAILURES, self._service.in_flight):
            self._end(
                CharthouseError(
                    f"{failures} questions in a row had no answer, the last because"
                    f" {outcome.reason}. See to it, then run again: answers are kept."
                )
            )

    def _ask(self, question: Question) -> Reply | Failed | None:
        """None where it was stopped."""
        completions = self._service.client.chat.completions.with_raw_response
        began = time.monotonic()
        body = self._body(question)
        items = len(question.messages) + (question.picture is not None)
        is_about_it = is_answered = False
        try:
            # raw: openai's own reading takes any JSON for an answer
            answer = self._service.ask(
                lambda: completions.create(**body).http_response.content, items=items
            )
            attempts = answer.attempts
            reply = _said(answer.content)
        except Stopped:
            self._is_over.set()
            return None
        except RefusedInput as refusal:
            reason, attempts, is_about_it = f"{REFUSED} ({refusal})", refusal.attempts, True
        except GaveUp as error:
            reason, attempts = error.what, error.attempts
        except ValueError as error:
            reason = f"{self._service.host} sent an answer that cannot be used: {error}"
            is_answered = True
        else:
            return Reply(**reply, seconds=time.monotonic() - began, attempts=attempts)
        return Failed(reason, time.monotonic() - began, attempts, is_about_it, is_answered)

    def _body(self, question: Question) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [
                {"role": message.role, "content": self._content(message, question.picture)}
                for message in question.messages
            ],
            "temperature": 0,
            "max_tokens": ANSWER_TOKENS,
        }
        if self._with_log_probabilities:
            body |= {"logprobs": True, "top_logprobs": TOP}
        return body

    def _content(
        self, message: Message, picture: PIL.Image.Image | None
    ) -> str | list[dict[str, Any]]:
        """A plain text where there is no picture: every server takes that."""
        if not message.has_picture or picture is None:
            return message.text
        shown = {"url": data_url(picture)}
        if self.family.detail is not None:
            shown["detail"] = self.family.detail
        return [
            {"type": "image_url", "image_url": shown},
            {"type": "text", "text": message.text},
        ]


def token_counter(spec: LearnerSpec) -> Callable[[str], int] | None:
    """Counts tokens as the model does, if its tokenizer is on this machine."""
    folder = local_weights(spec, ("tokenizer.json",))
    if folder is None:
        return None
    from tokenizers import Tokenizer

    with damage_told(f"{folder / 'tokenizer.json'} is no tokenizer"):
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False))


def data_url(picture: PIL.Image.Image) -> str:
    """The picture without loss, in the request itself."""
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(file.getbuffer()).decode("ascii")


def _said(answer: bytes) -> dict[str, Any]:
    """What a chat completion says, as arguments of Reply; its ValueError quotes none of it."""
    found = read_answer(ChatCompletion, answer)
    first = from_top([(each.token, each.logprob) for each in found.top or ()])
    # cleaned of what no file can hold
    model = found.model and found.model[:200].encode("utf-8", "replace").decode()
    return {
        "text": found.message.content,
        "p_yes": first.p_yes if first else None,
        "yes_no_mass": first.mass if first else None,
        "resolved_model": model,
        "prompt_tokens": found.prompt_tokens,
        "answer_tokens": found.answer_tokens,
    }

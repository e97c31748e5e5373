"""Any learner behind a server that speaks OpenAI's chat completions: vLLM, Azure, OpenAI, others.

OpenAI, "Chat Completions" API reference, as of openai 3.54. Every request passes the data-use
guard.
"""

import base64
import io
import json
import math
import queue
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import PIL.Image

from charthouse.encoders.weights import local_weights
from charthouse.errors import CharthouseError
from charthouse.learners.base import (
    ANSWER_TOKENS,
    Failed,
    Family,
    Message,
    Question,
    Reply,
    Respondent,
)
from charthouse.learners.first_token import from_top
from charthouse.learners.registry import LearnerSpec
from charthouse.openai_api import Service
from charthouse.patience import GaveUp, RefusedInput, Stopped

TOP = 20  # log-probabilities a token; no service gives more
MESSAGE_TOKENS = 8  # what a chat template adds to a message, at most
LEAST_FAILURES = 8  # in a row, before the run is called off

Outcome = tuple[Question, Reply | Failed]


class Served(Respondent):
    """A learner by its name at a server.

    Args:
        spec: the learner.
        family: its family.
        service: who serves it.
        model: what the server calls it.
        with_log_probabilities: ask for them; a few servers refuse such questions.
    """

    def __init__(
        self,
        spec: LearnerSpec,
        family: Family,
        service: Service,
        *,
        model: str,
        with_log_probabilities: bool = True,
    ) -> None:
        self.family = family
        self.context_tokens = spec.context_tokens
        self._service, self._model = service, model
        self._with_log_probabilities = with_log_probabilities
        self._tokens = token_counter(spec)

    def identity(self) -> dict[str, Any]:
        """The weights cannot be hashed: the model's name stands for them, whoever serves it."""
        return {"model": self._model, "revision": None, "dtype": None, "by": "server"} | {
            "tokens": "counted" if self._tokens else "estimated",
            "log_probabilities": self._with_log_probabilities,
        }

    def sends_to(self) -> str | None:
        """The host, with its port; this machine's too."""
        return self._service.host

    def count_tokens(self, messages: Sequence[Message], picture: PIL.Image.Image | None) -> int:
        """By the model's own tokenizer where that is on this machine, else an upper estimate."""
        count = self._tokens or self.family.text_tokens
        total = sum(count(message.text) + MESSAGE_TOKENS for message in messages) + MESSAGE_TOKENS
        return total + (self.family.picture_tokens(*picture.size) if picture else 0)

    def answers(self, questions: Iterable[Question]) -> Iterator[Outcome]:
        """As many requests at a time as the service allows; replies come as they are ready.

        What is stopped, or left when no requests are allowed any more, is given no outcome.
        """
        done: queue.SimpleQueue[Future[Outcome | None]] = queue.SimpleQueue()
        most = 2 * self._service.in_flight  # so that no thread waits for the next question
        waiting = failures = 0
        left = iter(questions)
        is_over = False
        futures: set[Future[Outcome | None]] = set()
        pool = ThreadPoolExecutor(self._service.in_flight, thread_name_prefix="ask")
        fault: BaseException | None = None
        try:
            while True:
                while not is_over and waiting < most:
                    question = next(left, None)
                    if question is None:
                        is_over = True
                        break
                    future = pool.submit(self._ask, question)
                    futures.add(future)
                    future.add_done_callback(done.put)
                    waiting += 1
                if not waiting:
                    break
                finished = done.get()
                waiting -= 1
                futures.discard(finished)
                if finished.cancelled():
                    continue
                if error := finished.exception():
                    fault = fault or error
                    is_over = True
                    self._abandon(futures)
                    continue
                outcome = finished.result()
                if outcome is None:  # stopped, and the others will be
                    is_over = True
                    continue
                yield outcome
                failures = failures + 1 if isinstance(outcome[1], Failed) else 0
                if fault is None and failures >= max(LEAST_FAILURES, self._service.in_flight):
                    reason = outcome[1].reason if isinstance(outcome[1], Failed) else ""
                    fault = CharthouseError(
                        f"{failures} questions in a row had no answer, the last because {reason}."
                        " See to it, then run again: answers are kept."
                    )
                    is_over = True
                    self._abandon(futures)
        finally:
            self._abandon(futures)
            pool.shutdown(wait=True)
        if fault is not None:
            raise fault

    def stop(self) -> None:
        """Nobody shall wait to ask again; what is on its way is waited for."""
        self._service.stop()

    def _abandon(self, futures: set[Future[Outcome | None]]) -> None:
        self._service.stop()
        for future in list(futures):
            future.cancel()

    def _ask(self, question: Question) -> Outcome | None:
        tries = 0

        def call() -> bytes:
            nonlocal tries
            tries += 1
            # raw: openai's own reading takes any JSON for an answer
            return completions.create(**body).http_response.content

        completions = self._service.client.chat.completions.with_raw_response
        began = time.monotonic()
        body = self._body(question)
        items = len(question.messages) + (question.picture is not None)
        try:
            answer = self._service.ask(call, items=items)
        except Stopped:
            return None
        except RefusedInput as refusal:
            reason = f"the service refused it ({refusal})"
        except GaveUp as error:
            reason = str(error).partition(". Run again")[0]
        else:
            try:
                reply = read_answer(answer)
            except ValueError as error:
                reason = f"{self._service.host} sent an answer that cannot be used: {error}"
            else:
                return question, Reply(**reply, seconds=time.monotonic() - began, attempts=tries)
        return question, Failed(reason, time.monotonic() - began, max(tries, 1))

    def _body(self, question: Question) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [
                {"role": message.role, "content": _content(message, question.picture)}
                for message in question.messages
            ],
            "temperature": 0,
            "max_tokens": ANSWER_TOKENS,
        }
        if self._with_log_probabilities:
            body |= {"logprobs": True, "top_logprobs": TOP}
        return body


def token_counter(spec: LearnerSpec) -> Callable[[str], int] | None:
    """Counts tokens as the model does, if its tokenizer is on this machine."""
    folder = local_weights(spec, ("tokenizer.json",))
    if folder is None:
        return None
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the library raises bare Exceptions
        raise CharthouseError(
            f"{folder / 'tokenizer.json'} is no tokenizer ({type(error).__name__}): fetch it again."
        ) from None
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False))


def _content(message: Message, picture: PIL.Image.Image | None) -> str | list[dict[str, Any]]:
    """A plain text where there is no picture: every server takes that."""
    if not message.has_picture or picture is None:
        return message.text
    return [
        {"type": "image_url", "image_url": {"url": data_url(picture)}},
        {"type": "text", "text": message.text},
    ]


def data_url(picture: PIL.Image.Image) -> str:
    """The picture without loss, in the request itself."""
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(file.getbuffer()).decode("ascii")


def read_answer(answer: bytes) -> dict[str, Any]:
    """What a chat completion says, as arguments of Reply.

    What the model or its service refuses to say in a well formed answer is a text like any other
    (empty, often), and no error.

    Raises:
        ValueError: anything is amiss; says what, without any of the answer.
    """
    try:
        body = json.loads(answer)
    except ValueError:  # of JSON or of its encoding
        raise ValueError("it is not JSON") from None
    choices = body.get("choices") if isinstance(body, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise ValueError("it has no list 'choices'")
    message = choices[0].get("message")
    if not isinstance(message, dict):
        raise ValueError("its choice has no message")
    text = message.get("content")
    if text is None:
        text = message.get("refusal") or ""
    if not isinstance(text, str):
        raise ValueError("its message is no text")
    usage = body["usage"] if isinstance(body.get("usage"), dict) else {}
    first = from_top(_first_top(choices[0]))
    return {
        "text": text,
        "p_yes": first.p_yes if first else None,
        "yes_no_mass": first.mass if first else None,
        "resolved_model": body["model"] if isinstance(body.get("model"), str) else None,
        "prompt_tokens": _count(usage.get("prompt_tokens")),
        "answer_tokens": _count(usage.get("completion_tokens")),
    }


def _first_top(choice: dict[str, Any]) -> list[tuple[str, float]]:
    """Token and log-probability of what might have come first; empty where it is not told."""
    told = choice.get("logprobs")
    tokens = told.get("content") if isinstance(told, dict) else None
    first = tokens[0] if isinstance(tokens, list) and tokens else None
    top = first.get("top_logprobs") if isinstance(first, dict) else None
    return [
        (each["token"], float(each["logprob"]))
        for each in (top if isinstance(top, list) else [])
        if isinstance(each, dict)
        and isinstance(each.get("token"), str)
        and isinstance(each.get("logprob"), int | float)
        and math.isfinite(each["logprob"])
    ]


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None

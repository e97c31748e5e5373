"""How a service that is busy or broken is asked again, and what is said when it stays so.

For every service that speaks through the openai package: encoders and learners alike.
"""

import email.utils
import itertools
import math
import random
import re
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from charthouse.core.errors import CharthouseError

Answer = TypeVar("Answer")

REFUSED = "the service refused it"
"""How the reason begins why an input has no answer; after it the status."""

_asking: ContextVar[threading.Event | None] = ContextVar("asking", default=None)

_PASSING = frozenset({408, 429, 500, 502, 503, 504})
_REFUSED_INPUT = frozenset({400, 413, 422})
# 429 says "wait" or "pay"; only the code tells which. Nothing else of an answer enters a message:
# services echo parts of keys and of inputs.
_NO_MONEY = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
_FATAL = {
    401: "refused the key. Correct it (docs/security.md)",
    403: "lets this key not use the model. Ask for the right, or take another key",
    404: "knows no such model, deployment or path. Correct the address or the name",
}


class RefusedInput(Exception):
    """The service will not take these inputs (too long, say); others may be fine."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


class GaveUp(CharthouseError):
    """The service was asked as often as patience allows; another question may fare better.

    Args:
        what: happened, in a line.
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}. Run again later: what is finished is kept.")
        self.what = what


class Stopped(CharthouseError):
    """Nobody waits for the answer any more."""


@dataclass(frozen=True)
class _Answered(Generic[Answer]):
    answer: Answer


@dataclass(frozen=True)
class _Failure:
    """Why a try brought no answer; never text of the service."""

    what: str
    passes: bool  # worth another try
    wait: float | None = None  # seconds, if the service said so


@dataclass(frozen=True)
class Patience:
    """When to ask again."""

    tries: int = 6
    first_wait: float = 1.0  # seconds, doubled each time
    longest_wait: float = 60.0  # seconds, also where the service asks for more
    jitter: random.Random = field(default_factory=lambda: random.Random(0), repr=False)
    sleep: Callable[[float], object] | None = None  # None: really, but ended early by `stop`
    clock: Callable[[], float] = time.time  # for a Retry-After that is a date

    def ask(
        self,
        call: Callable[[], Answer],
        host: str,
        *,
        stop: threading.Event | None = None,
        told: Callable[[bool], None] = lambda again: None,
    ) -> Answer:
        """Calls until there is an answer.

        Args:
            call: one request by the openai package, whose own retries are off.
            host: for messages.
            stop: when set by somebody else, waiting is of no use any more.
            told: before each try, whether it is a repetition.

        Raises:
            RefusedInput: the service does not take the input.
            GaveUp: it does not answer.
            Stopped: `stop` was set.
            CharthouseError: it will not answer, whatever it is asked.
        """
        stop = stop or threading.Event()
        for attempt in itertools.count(1):
            if stop.is_set():
                raise Stopped(f"{host}: stopped.")
            told(attempt > 1)
            token = _asking.set(stop)  # a context: openai passes nothing of ours on to the log
            try:
                outcome = self._try(call)
            finally:
                _asking.reset(token)
            if isinstance(outcome, _Answered):
                return outcome.answer
            if not outcome.passes:
                raise CharthouseError(
                    f"{host} {outcome.what}. Then run again: what is finished is kept."
                )
            if attempt >= self.tries:
                raise GaveUp(f"{host} {outcome.what}, {attempt} times")
            wait = outcome.wait
            if wait is None:
                wait = self.first_wait * 2 ** (attempt - 1) * self.jitter.uniform(0.5, 1)
            (self.sleep or stop.wait)(min(wait, self.longest_wait))
        raise AssertionError("unreachable")

    def _try(self, call: Callable[[], Answer]) -> _Answered[Answer] | _Failure:
        """The answer, or the failure; the openai errors themselves (they hold text) end here."""
        import openai

        try:
            return _Answered(call())
        except openai.APITimeoutError:
            return _Failure("did not answer in time", passes=True)
        except openai.APIConnectionError as error:
            if _is_bad_certificate(error):
                return _Failure(
                    "shows a certificate that this machine does not trust. Set SSL_CERT_FILE to"
                    " your institution's certificates",
                    passes=False,
                )
            reason = type(error.__cause__ or error).__name__
            return _Failure(f"cannot be reached ({reason})", passes=True)
        except openai.APIStatusError as error:
            status, code = error.status_code, error.code
            wait = self._asked_wait(error.response.headers)
        if status in _REFUSED_INPUT:
            raise RefusedInput(status)
        if code in _NO_MONEY:
            return _Failure("says that the account's quota is used up: see to it", passes=False)
        if status in _PASSING:
            return _Failure(f"answered HTTP {status}", passes=True, wait=wait)
        if 300 <= status < 400:
            what = "answered with a redirect, which is never followed. Correct the address"
        else:
            what = _FATAL.get(status, "did not take the request. See to it")
        return _Failure(f"(HTTP {status}) {what}", passes=False)

    def _asked_wait(self, headers: Mapping[str, str]) -> float | None:
        """Seconds of Retry-After: a number or a date (RFC 9110, 10.2.3); or of retry-after-ms."""
        for name, factor in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
            value = headers.get(name, "").strip()
            if re.fullmatch(r"\d{1,9}(\.\d+)?", value):
                return float(value) * factor
        try:
            date = email.utils.parsedate_to_datetime(headers.get("retry-after", ""))
            seconds = date.timestamp() - self.clock()
        except (TypeError, ValueError, OverflowError):
            return None
        return max(seconds, 0.0) if math.isfinite(seconds) else None


def nobody_waits() -> bool:
    """Whether `stop` was set for what this thread asks just now; for what a request waits on."""
    stop = _asking.get()
    return stop is not None and stop.is_set()


def _is_bad_certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False

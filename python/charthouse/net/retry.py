"""How a service that is busy or broken is asked again, and what is said when it stays so.

The openai client itself asks again: after a connection that fails, 408, 409, 429 and 5xx, as late
as Retry-After says (up to two minutes; where it says more, not at all), else after half a second,
doubled up to eight. The guarded transport sees, counts and logs each attempt. What the client lacks
is here, for encoders and learners alike.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from charthouse.core.errors import CharthouseError

if TYPE_CHECKING:
    import httpx2
    import openai

Answer = TypeVar("Answer")
Client = TypeVar("Client", bound="openai.OpenAI")

MAX_RETRIES = 6
"""Of a request; the client's own waits are then about 20 seconds in all."""

REFUSED = "the service refused it"
"""How the reason begins why an input has no answer; after it the status."""

_REFUSED_INPUT = frozenset({400, 413, 422})
_PASSING = frozenset({408, 409, 429})  # and 5xx
# 429 says "wait" or "pay"; only the code tells which. Nothing else of an answer enters a message:
# services echo parts of keys and of inputs.
_NO_MONEY = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
_FATAL = {
    401: "refused the key. Correct it (docs/how-to/approve-a-host.md)",
    403: "lets this key not use the model. Ask for the right, or take another key",
    404: "knows no such model, deployment or path. Correct the address or the name",
}


class RefusedInput(Exception):
    """The service will not take these inputs (too long, say); others may be fine."""

    def __init__(self, status: int, attempts: int = 1) -> None:
        super().__init__(f"HTTP {status}")
        self.status, self.attempts = status, attempts


class GaveUp(CharthouseError):
    """The service was asked as often as it makes sense; another question may fare better."""

    def __init__(self, what: str, attempts: int) -> None:
        super().__init__(f"{what}. Run again later: what is finished is kept.")
        self.what, self.attempts = what, attempts


class Stopped(CharthouseError):
    """Nobody waits for the answer any more."""


@dataclass(frozen=True)
class Failure:
    """Why a request brought no answer, however often it was made; never text of the service."""

    what: str
    passes: bool = False  # it may be answered another time
    refused: int | None = None  # the status, where it is the input that is refused

    def error(self, host: str, attempts: int) -> Exception:
        """What to raise."""
        if self.refused is not None:
            return RefusedInput(self.refused, attempts)
        if self.passes:
            often = f"{attempts} times" if attempts > 1 else "once"
            return GaveUp(f"{host} {self.what}, {often}", attempts)
        return CharthouseError(f"{host} {self.what}. Then run again: what is finished is kept.")


def stoppable(client: type[Client], stop: threading.Event) -> type[Client]:
    """A client that does not wait on once `stop` is set, nor for a quota that is used up.

    For neither has it an option; these are the two hooks of its loop that decide.
    """

    class Stoppable(client):  # type: ignore[misc, valid-type]
        def _should_retry(self, response: "httpx2.Response") -> bool:
            code = self._make_status_error_from_response(response).code
            return code not in _NO_MONEY and super()._should_retry(response)

        def _calculate_retry_timeout(self, *given: Any, **more: Any) -> float:
            wait(stop, super()._calculate_retry_timeout(*given, **more))
            return 0.0

    return Stoppable


def wait(stop: threading.Event, seconds: float) -> None:
    """Before the next attempt."""
    stop.wait(seconds)


def outcome_of(request: Callable[[], Answer]) -> Answer | Failure:
    """The answer, or the failure; the openai errors themselves (they hold text) end here."""
    import openai

    try:
        return request()
    except openai.APITimeoutError:
        return Failure("did not answer in time", passes=True)
    except openai.APIConnectionError as error:
        reason = type(error.__cause__ or error).__name__
        return Failure(f"cannot be reached ({reason})", passes=True)
    except openai.APIStatusError as error:
        status, code = error.status_code, error.code
    if code in _NO_MONEY:  # some with the status of an input that is refused
        return Failure("says that the account's quota is used up: see to it")
    if status in _REFUSED_INPUT:
        return Failure(f"refused the input (HTTP {status})", refused=status)
    if status in _PASSING or status >= 500:
        return Failure(f"answered HTTP {status}", passes=True)
    if 300 <= status < 400:
        what = "answered with a redirect, which is never followed. Correct the address"
    else:
        what = _FATAL.get(status, "did not take the request. See to it")
    return Failure(f"(HTTP {status}) {what}")

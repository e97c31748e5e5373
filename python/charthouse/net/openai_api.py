"""Services that speak OpenAI's API: OpenAI, Azure OpenAI, or a server on this machine.

The environment says which, and holds the keys; they are never written or printed.

| | OpenAI, or a server that speaks its API | Azure OpenAI (wins where its endpoint is set) |
|---|---|---|
| where | OPENAI_BASE_URL | AZURE_OPENAI_ENDPOINT |
| key | OPENAI_API_KEY | AZURE_OPENAI_API_KEY |
| version of the API | - | OPENAI_API_VERSION |
"""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from charthouse.core.errors import CharthouseError
from charthouse.net.guard import Guard, has_real_port, loopback_addresses, sending
from charthouse.net.retry import MAX_RETRIES, Failure, Stopped, outcome_of, stoppable

if TYPE_CHECKING:
    import httpx2
    import openai

Result = TypeVar("Result")

OPENAI_URL = "https://api.openai.com/v1"
AZURE_API_VERSION = "2024-10-21"  # the last dated version of Azure's data plane that is no preview
NO_KEY = "none"  # servers on this machine may want no key; openai wants a string


@dataclass(frozen=True)
class Address:
    """Where a service is, as the environment says."""

    url: "httpx2.URL"
    key_variable: str
    is_azure: bool

    @property
    def place(self) -> str:
        """The host, and the port if it is not the usual one."""
        return self.url.netloc.decode("ascii")

    @property
    def is_loopback(self) -> bool:
        """On this machine: what is sent does not leave it, and a key may not be needed."""
        return loopback_addresses(self.url.raw_host.decode("ascii")) is not None

    def key(self) -> str:
        """'' if there is none."""
        return _setting(self.key_variable)


def named_address(base_url: str | None = None) -> Address:
    """The service that the environment names, or that of a base URL; then the key is OpenAI's.

    Raises:
        CharthouseError: what it says is no address.
    """
    if base_url is not None:
        return Address(_url("--base-url", base_url.strip()), "OPENAI_API_KEY", False)
    if azure := _setting("AZURE_OPENAI_ENDPOINT"):
        return Address(_url("AZURE_OPENAI_ENDPOINT", azure), "AZURE_OPENAI_API_KEY", True)
    plain = _setting("OPENAI_BASE_URL") or OPENAI_URL
    return Address(_url("OPENAI_BASE_URL", plain), "OPENAI_API_KEY", False)


def _setting(variable: str) -> str:
    return os.environ.get(variable, "").strip()


def _url(variable: str, value: str) -> "httpx2.URL":
    try:
        import httpx2  # comes with openai
    except ModuleNotFoundError:
        raise CharthouseError("openai is missing: pip install 'charthouse[models]'.") from None
    no_address = CharthouseError(f"{variable} is not an address such as {OPENAI_URL}.")
    try:
        url = httpx2.URL(value)
    except httpx2.InvalidURL:
        raise no_address from None
    if not has_real_port(value):
        raise CharthouseError(
            f"{variable}: its port is not from 1 to 65535, in plain digits. Correct it."
        )
    if any(map(str.isspace, value)):  # in the host's name httpx2 writes %20, and asks for that
        raise no_address
    return url


@dataclass
class Usage:
    """What a run has asked of a service so far."""

    requests: int = 0  # sent, repetitions and failures included
    retries: int = 0
    tokens: int = 0
    cost_usd: float = 0.0
    seconds: float = 0.0  # of the clock, waiting included


@dataclass(frozen=True)
class Answer:
    """What a service answered, and how many requests it took."""

    content: bytes = field(repr=False)
    attempts: int


@dataclass(frozen=True)
class Service:
    """A service, ready to be asked."""

    client: "openai.OpenAI" = field(repr=False)
    host: str
    in_flight: int  # requests at a time
    usage: Usage
    most_requests: int | None  # of all that are made, repetitions included
    stopping: threading.Event = field(repr=False)  # ends the client's waits
    _counting: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def ask(self, request: Callable[[], bytes], items: int) -> Answer:
        """One request, repeated by the client while that makes sense.

        Args:
            request: makes it by `client`, and gives the content of the answer.
            items: how many texts or images it carries, for the guard's log.

        Raises:
            charthouse.net.retry.RefusedInput: the service does not take the input.
            charthouse.net.retry.GaveUp: it does not answer this one.
            charthouse.net.retry.Stopped: `stop` was called, or there are no requests left.
            CharthouseError: the guard refused, or there is no answer to be had.
        """
        with sending(items, self._count_request) as sent:
            outcome = outcome_of(request)
        if isinstance(outcome, Failure):
            raise outcome.error(self.host, sent.attempts)
        return Answer(outcome, sent.attempts)

    def ask_all(self, calls: Sequence[Callable[[], Result]]) -> list[Result]:
        """Makes the calls, `in_flight` at a time.

        Returns:
            Their results, in the order of the calls.

        Raises:
            Exception: of a call that failed, of several any; those that wait or have not begun are
                dropped.
        """
        self.stopping.clear()
        with ThreadPoolExecutor(self.in_flight, thread_name_prefix="ask") as pool:
            futures = [pool.submit(call) for call in calls]
            try:
                for done in wait(futures, return_when=FIRST_EXCEPTION).done:
                    done.result()
            except BaseException:  # an interrupt as well: nobody shall sleep on
                self.stopping.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return [future.result() for future in futures]

    def stop(self) -> None:
        """Ends the waiting of whoever would ask again; what is on its way is waited for."""
        self.stopping.set()

    def count(self, tokens: int, cost_usd: float) -> None:
        """Adds what an answer cost."""
        with self._counting:
            self.usage.tokens += tokens
            self.usage.cost_usd += cost_usd

    def _count_request(self, again: bool) -> None:
        """Of the transport, before each attempt."""
        if self.stopping.is_set():
            raise Stopped(f"{self.host}: stopped.")
        with self._counting:
            if self.most_requests is not None and self.usage.requests >= self.most_requests:
                raise Stopped(f"{self.host}: no requests are left.")
            self.usage.requests += 1
            self.usage.retries += again


def connect(
    guard: Guard,
    model: str,
    *,
    deployment_variable: str,
    usage: Usage,
    max_retries: int = MAX_RETRIES,
    timeout: float = 120.0,
    in_flight: int = 4,
    base_url: str | None = None,
    most_requests: int | None = None,
) -> Service:
    """The service that the environment names; asks it nothing yet.

    Args:
        guard: must allow the host, or this fails before any data are read.
        model: the provider's name of the model.
        deployment_variable: names Azure's deployment of it, if that is called otherwise.
        usage: is added to.
        max_retries: of a request; what is asked again is the client's to decide.
        timeout: seconds for connecting, for sending, and for each part of the answer.
        in_flight: requests at a time.
        base_url: of the service; None: the one that the environment names.
        most_requests: then none is made any more.

    Raises:
        CharthouseError: no key, an address that is none, or a host that the guard refuses.
    """
    address = named_address(base_url)
    key = _key(address, model)
    guard.check(address.url)
    import openai  # takes a second

    from charthouse.net.guarded_http import guarded_client  # httpx2 comes with the extra "models"

    stopping = threading.Event()
    common: dict[str, Any] = {
        "api_key": key,
        "http_client": guarded_client(guard, timeout=timeout, connections=in_flight),
        "timeout": timeout,
        "max_retries": max_retries,
    }
    client: openai.OpenAI
    if address.is_azure:
        client = stoppable(openai.AzureOpenAI, stopping)(
            azure_endpoint=str(address.url),
            azure_deployment=_setting(deployment_variable) or model,
            api_version=_setting("OPENAI_API_VERSION") or AZURE_API_VERSION,
            **common,
        )
    else:
        client = stoppable(openai.OpenAI, stopping)(base_url=str(address.url), **common)
    return Service(client, address.place, in_flight, usage, most_requests, stopping)


def _key(address: Address, model: str) -> str:
    key = address.key()
    if not key and address.is_loopback:
        return NO_KEY
    if not key:
        raise CharthouseError(
            f"{model} needs a key: set {address.key_variable} (docs/how-to/approve-a-host.md)."
        )
    if not (key.isascii() and key.isprintable() and " " not in key):
        # caught here: the HTTP library would quote it in its error
        raise CharthouseError(
            f"{address.key_variable} holds a space, a line break or the like: copy it again."
        )
    return key

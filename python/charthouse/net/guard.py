"""What may leave this machine: nothing of real patients, unless its host was approved.

PhysioNet's terms allow MIMIC only at services that keep nothing. A user who has such an agreement
names the host in CHARTHOUSE_APPROVED_HOSTS. Open data may be shared by their licence, but they are
of people: where they go is named in the same way. Loopback is always allowed; synthetic data may go
anywhere, but beyond loopback nothing goes without TLS.
Encoders and learners reach the network through `guarded_client` alone (charthouse.net.guarded_http
checks every request; a test proves that no module goes around it). docs/explanation/security.md is
for users.
"""

import ipaddress
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from charthouse.core.data_kind import DataKind
from charthouse.core.errors import CharthouseError

if TYPE_CHECKING:
    import httpx2

APPROVED_HOSTS = "CHARTHOUSE_APPROVED_HOSTS"

Because = Literal["loopback", "synthetic", "approved"]

_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
# A name or an address, and a port unless it is 443. No wildcard, no dot at the end, ASCII only.
_EXACT = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_-]+(\.[a-z0-9_-]+)*)(:[0-9]+)?")

_sending: ContextVar["Sending | None"] = ContextVar("sending", default=None)


@dataclass(frozen=True)
class Send:
    """A request that is about to leave: a row of results.sends. It holds nothing of the data."""

    host: str
    allowed_because: Because
    items: int  # texts or images, as the sender declared them (`sending`); 0 if it did not
    bytes: int  # of the request's body
    at: datetime  # UTC, without a zone, as the warehouse keeps times


@dataclass(frozen=True)
class Route:
    """Leave to send to a host."""

    host: str
    because: Because
    addresses: tuple[str, ...] = ()  # where there are some, the connection must go to one of these


@dataclass
class Guard:
    """Stands between an encoder or learner and the network; may be shared between threads."""

    data_kind: DataKind = "credentialed"
    """Synthetic data may go anywhere."""

    approved_hosts: frozenset[str] | None = None
    """Where other data may go; None: what CHARTHOUSE_APPROVED_HOSTS says."""

    log: Callable[[Send], None] | None = None
    """Told of each request before it leaves, one at a time; if it raises, nothing is sent."""

    _one_at_a_time: threading.Lock = field(
        default_factory=threading.Lock, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        named = self.approved_hosts
        if named is None:
            named = frozenset(os.environ.get(APPROVED_HOSTS, "").split(","))
        entries = (entry.strip().lower().removesuffix(":443") for entry in named)
        self.approved_hosts = frozenset(filter(None, entries))

    def check(self, url: "httpx2.URL") -> Route:
        """Decides on the URL as httpx2 will use it, so that no other way of reading it counts.

        Raises:
            CharthouseError: it must not be sent to; says why and how to declare the host.
        """
        host = url.raw_host.decode("ascii")
        place = url.netloc.decode("ascii").removesuffix(":443")  # it holds no user name
        if url.scheme not in ("http", "https") or not host:
            raise CharthouseError(
                f"'{place}' was not asked: its address must begin with https:// (or http:// on"
                " this machine)."
            )
        if url.userinfo:
            raise CharthouseError(
                f"{place}: refused, nothing was sent. Its address holds a user name: take out what"
                " stands before the @; keys come from the environment."
            )
        addresses = loopback_addresses(host)
        if addresses is not None:
            return Route(host, "loopback", addresses)
        approved = {entry for entry in self.approved_hosts or () if _EXACT.fullmatch(entry)}
        if self.data_kind != "synthetic" and place not in approved:
            raise CharthouseError(self._refusal(place, approved))
        if url.scheme != "https":
            raise CharthouseError(
                f"{place}: refused, nothing was sent: beyond this machine data leave by https only,"
                f" {self.data_kind} data too. Begin its address with https://."
            )
        return Route(host, "synthetic" if self.data_kind == "synthetic" else "approved")

    def record(self, send: Send) -> None:
        """Tells `log`, before the request leaves."""
        if self.log is not None:
            with self._one_at_a_time:
                self.log(send)

    def _refusal(self, place: str, approved: set[str]) -> str:
        """Why data that are not synthetic do not go there."""
        is_open = self.data_kind == "open"
        kind = "open data" if is_open else "credentialed"
        why = f"the data are {kind} and this host is not approved"
        if unclear := sorted((self.approved_hosts or frozenset()) - approved):
            entry = unclear[0].rpartition("@")[2]  # what stands before may be a password
            why += f"; {entry!a} in {APPROVED_HOSTS} is not an exact host name"
        terms = (
            "Their licence lets you share them, but they are of real patients: if they shall go"
            " there, declare it:"
            if is_open
            else "PhysioNet's terms ask for a service that keeps nothing (zero retention); where"
            " you have that in writing, declare it:"
        )
        return (
            f"{place}: refused, nothing was sent: {why}. {terms} {APPROVED_HOSTS}={place}, with"
            " https (docs/how-to/approve-a-host.md)."
        )


def has_real_port(address: str) -> bool:
    """Of another httpx2 makes errors like those of a server that is away, which are waited out.

    Asked of the text, because httpx2 takes blanks, signs and digits of other scripts for a port.
    """
    try:
        return urlsplit(address).port != 0
    except ValueError:
        return False


def loopback_addresses(host: str) -> tuple[str, ...] | None:
    """None unless the host is this machine's loopback.

    For an address of loopback nothing more, (); for the name localhost all that it stands for, if
    every one of them is loopback. The connection is bound to them, so that a second, different
    answer of the resolver changes nothing.
    """
    if host == "localhost":
        try:
            answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except OSError:
            return None
        addresses = tuple(dict.fromkeys(str(answer[4][0]) for answer in answers))
        return addresses if addresses and all(map(_is_loopback, addresses)) else None
    return () if _is_loopback(host) else None


def _is_loopback(address: str) -> bool:
    """Of a plain address: 127.1, 0x7f000001 and other ways to write one are names, and refused."""
    if "%" in address:  # a zone, which ipaddress takes for no part of the address
        return False
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in _LOOPBACK)


@dataclass
class Sending:
    """What a thread is about to send, and how often it has been tried."""

    items: int = 0
    allow: Callable[[bool], None] = lambda again: None
    attempts: int = 0

    def begin(self) -> None:
        """Counts an attempt; raises what `allow` raises, and then it is not made."""
        self.allow(self.attempts > 0)
        self.attempts += 1


@contextmanager
def sending(items: int, allow: Callable[[bool], None] = lambda again: None) -> Iterator[Sending]:
    """Declares what the requests made inside, by this thread, carry.

    A context, because libraries between us and the request (openai) pass on no extra of ours. Each
    holds so many texts or images; `allow` is told of each attempt whether it is a repetition,
    before it is logged and made.
    """
    token = _sending.set(sent := Sending(items, allow))
    try:
        yield sent
    finally:
        _sending.reset(token)


def current_sending() -> Sending:
    """What `sending` declared for the request that is being made."""
    return _sending.get() or Sending()

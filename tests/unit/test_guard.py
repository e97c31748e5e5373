"""Nothing of credentialed data leaves, by real sockets; and every send is logged before it goes."""

import ast
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from bench import FAKE, PROJECT
from charthouse.core.data_kind import DataKind
from charthouse.core.errors import CharthouseError
from charthouse.net.guard import Guard, Send, sending
from charthouse.net.guarded_http import guarded_client
from listener import Listener, address_of_this_machine

TEXT = "Mr. Doe has a large left pleural effusion."


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CHARTHOUSE_APPROVED_HOSTS", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="module")
def one_server() -> Iterator[HTTPServer]:
    with HTTPServer(host="127.0.0.1", threaded=True) as server:
        yield server


@pytest.fixture
def server(one_server: HTTPServer) -> HTTPServer:
    one_server.clear()
    one_server.expect_request("/").respond_with_data("fine")
    return one_server


@pytest.fixture
def no_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(host: str, *_: object, **__: object) -> list:
        raise AssertionError(f"the resolver was asked for {host}")

    monkeypatch.setattr(socket, "getaddrinfo", asked)


def post(guard: Guard, url: str, **more: object) -> httpx2.Response:
    with guarded_client(guard, timeout=5) as client:
        return client.post(url, content=TEXT, **more)  # type: ignore[arg-type]


# ---- what may go where ----


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "localhost", "LOCALHOST"])
def test_loopback_is_always_allowed(server: HTTPServer, host: str) -> None:
    sends: list[Send] = []
    guard = Guard(approved_hosts=frozenset(), log=sends.append)
    if host == "127.8.9.10":  # another loopback address: the server is not there, the guard agrees
        assert guard.check(httpx2.URL(f"http://{host}/")).because == "loopback"
        return
    assert post(guard, f"http://{host}:{server.port}/").text == "fine"
    assert [(send.host, send.allowed_because) for send in sends] == [(host.lower(), "loopback")]


def test_loopback_of_ipv6() -> None:
    try:
        listener = Listener("::1")
    except OSError:
        pytest.skip("this machine has no IPv6")
    with listener, pytest.raises(httpx2.TransportError):  # it hangs up without an answer
        post(Guard(), f"http://[::1]:{listener.port}/")
    assert TEXT.encode() in listener.received


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_not_a_byte_reaches_another_address(scheme: str) -> None:
    address = address_of_this_machine()
    if address is None:
        pytest.skip("this machine has no address but loopback")
    with Listener(address) as listener:
        place = f"{address}:{listener.port}"
        with pytest.raises(CharthouseError, match="refused, nothing was sent") as refusal:
            post(Guard(), f"{scheme}://{place}/")
        assert listener.saw_nothing()
    message = str(refusal.value)
    assert "\n" not in message and TEXT not in message
    assert all(word in message for word in (place, f"CHARTHOUSE_APPROVED_HOSTS={place}", "zero"))


@pytest.mark.usefixtures("resolved")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_not_a_byte_reaches_another_name(scheme: str) -> None:
    with Listener() as listener:
        with pytest.raises(CharthouseError, match="not approved"):
            post(Guard(), f"{scheme}://{FAKE}:{listener.port}/")
        assert listener.saw_nothing()


@pytest.fixture
def tls_server(certificate: Path) -> Iterator[HTTPServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with HTTPServer(host="127.0.0.1", ssl_context=context) as server:
        server.expect_request("/").respond_with_data("fine")
        yield server


@pytest.mark.usefixtures("resolved")
def test_an_approved_host_is_reached_by_https(
    tls_server: HTTPServer, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"{FAKE}:{tls_server.port}"
    monkeypatch.setenv("CHARTHOUSE_APPROVED_HOSTS", f"other.example, {place.upper()} ,")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    sends: list[Send] = []
    assert post(Guard(log=sends.append), f"https://{place}/").text == "fine"
    assert [(send.host, send.allowed_because) for send in sends] == [(FAKE, "approved")]
    with pytest.raises(CharthouseError, match="by https only"):
        post(Guard(), f"http://{place}/")
    with pytest.raises(CharthouseError, match="not approved"):
        post(Guard(), f"https://{FAKE}:{tls_server.port + 1}/")


@pytest.mark.usefixtures("resolved")
def test_synthetic_data_may_go_anywhere_by_https(
    tls_server: HTTPServer, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the control of the refusals above: without them the bytes do arrive
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    sends: list[Send] = []
    url = f"https://{FAKE}:{tls_server.port}/"
    assert post(Guard("synthetic", log=sends.append), url).text == "fine"
    assert tls_server.log[0][0].data == TEXT.encode()
    assert [(send.host, send.allowed_because) for send in sends] == [(FAKE, "synthetic")]


@pytest.mark.usefixtures("resolved")
@pytest.mark.parametrize("kind", ["synthetic", "open", "credentialed"])
@pytest.mark.parametrize("is_approved", [False, True])
def test_no_data_leave_in_plain_http(kind: DataKind, is_approved: bool) -> None:
    sends: list[Send] = []
    with Listener() as listener:
        place = f"{FAKE}:{listener.port}"
        guard = Guard(kind, frozenset({place}) if is_approved else frozenset(), sends.append)
        with pytest.raises(CharthouseError, match="refused, nothing was sent") as refusal:
            post(guard, f"http://{place}/")
        assert listener.saw_nothing() and not sends
    assert "\n" not in str(refusal.value) and "https" in str(refusal.value)
    if is_approved or kind == "synthetic":
        assert f"by https only, {kind} data too" in str(refusal.value)


@pytest.mark.usefixtures("resolved")
def test_open_data_are_called_so_and_go_where_the_user_says(
    tls_server: HTTPServer, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"{FAKE}:{tls_server.port}"
    with pytest.raises(CharthouseError, match="the data are open data and this host") as refusal:
        post(Guard("open"), f"https://{place}/")
    assert "credentialed" not in str(refusal.value) and "zero" not in str(refusal.value)
    assert f"CHARTHOUSE_APPROVED_HOSTS={place}" in str(refusal.value) and not tls_server.log
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    sends: list[Send] = []
    guard = Guard("open", frozenset({place}), sends.append)
    assert post(guard, f"https://{place}/").text == "fine"
    assert [send.allowed_because for send in sends] == ["approved"]


@pytest.mark.usefixtures("resolved")
def test_an_approved_host_must_show_its_certificate(tls_server: HTTPServer) -> None:
    place = f"{FAKE}:{tls_server.port}"
    with pytest.raises(CharthouseError, match=r"does not trust\. Set SSL_CERT_FILE to"):
        post(Guard(approved_hosts=frozenset({place})), f"https://{place}/")
    assert not tls_server.log


APPROVED = Guard(approved_hosts=frozenset({"api.openai.com", "[2001:db8::5]:8443"}))


@pytest.mark.usefixtures("no_resolver")
@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com.evil.org/v1",
        "https://evil-api.openai.com/v1",
        "https://api-openai.com/v1",
        "https://openai.com/v1",
        "https://eu.api.openai.com/v1",
        "https://api.openai.com@evil.org/v1",
        "https://api.openai.com:443@evil.org/v1",
        "https://api.openai.com%40evil.org/v1",
        "https://key@api.openai.com/v1",
        "https://evil.org/api.openai.com",
        "https://evil.org?api.openai.com",
        "https://evil.org#@api.openai.com",
        "https://evil.org\\@api.openai.com",
        "https://api.openai.com\\.evil.org/v1",
        "https://api.openai.com%2eevil.org/v1",
        "https://api.openai.com%00.evil.org/v1",
        "https://api.openai.com./v1",
        "https://api.openai.com:8443/v1",
        "https://api.openai.com:80/v1",
        "https://\u0430pi.openai.com/v1",  # a Cyrillic a
        "https://api.open\u0251i.com/v1",  # a Latin alpha
        "https://api.openai.c\u043em/v1",  # a Cyrillic o
        "https://xn--pi-7kc.openai.com/v1",
        "https://*.openai.com/v1",
        "http://api.openai.com/v1",
        "http://api.openai.com:443/v1",
        "ws://api.openai.com/v1",
        "wss://api.openai.com/v1",
        "ftp://api.openai.com/v1",
        "//api.openai.com/v1",
        "https:///v1",
        "api.openai.com/v1",
        "https://[2001:db8::5]/v1",
        "https://[2001:db8::6]:8443/v1",
        "https://0x7f000001/",  # all of these may end at loopback, by another reading
        "https://2130706433/",
        "https://127.1/",
        "https://127.0.0.1.evil.org/",
        "https://localhost.evil.org/",
        "https://localhost./",
        "https://0.0.0.0/",
        "https://[::]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::1%25eth0]/",
        "https://128.0.0.1/",
    ],
)
def test_lookalikes_are_refused_without_asking_the_resolver(url: str) -> None:
    with pytest.raises((CharthouseError, httpx2.InvalidURL)) as refusal:
        post(APPROVED, url)
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).isascii()  # a lookalike shows itself: xn--...


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1",
        "https://API.OpenAI.com/v1",
        "HTTPS://api.openai.com:443/v1",
        "https://[2001:db8::5]:8443/v1",
    ],
)
def test_the_approved_name_in_any_spelling(url: str) -> None:
    assert APPROVED.check(httpx2.URL(url)).because == "approved"


@pytest.mark.parametrize(
    "entry",
    [
        *("*.openai.com", ".openai.com", "*", "https://api.openai.com", "api.openai.com/v1"),
        *(
            "api.openai.com.",
            "sam:hunter2@api.openai.com",
            "api.openai.com:",
            "\u0430pi.openai.com",
        ),
    ],
)
def test_an_entry_that_is_no_exact_name_approves_nothing(
    entry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARTHOUSE_APPROVED_HOSTS", entry)
    for url in ("https://api.openai.com/v1", "https://api.openai.com./", "https://*.openai.com/"):
        with pytest.raises(CharthouseError, match="is not an exact host name") as refusal:
            Guard().check(httpx2.URL(url))
        assert str(refusal.value).isascii() and "hunter2" not in str(refusal.value)


def test_a_user_name_in_the_address_is_refused_and_never_shown() -> None:
    for guard in (Guard(), Guard("synthetic")):
        with pytest.raises(CharthouseError, match="user name") as refusal:
            post(guard, "http://sam:hunter2@127.0.0.1:9/")
        assert "hunter2" not in str(refusal.value)


def test_the_header_host_cannot_name_another_host(server: HTTPServer) -> None:
    with pytest.raises(CharthouseError, match="header Host"):
        post(Guard(), server.url_for("/"), headers={"Host": "evil.org"})
    assert not server.log


# ---- localhost is only what the resolver says ----


def answers(*addresses: str) -> list:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses]


@pytest.mark.parametrize("found", [["192.0.2.7"], ["127.0.0.1", "192.0.2.7"], []])
def test_localhost_that_leads_elsewhere_is_not_loopback(
    found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers(*found))
    with pytest.raises(CharthouseError, match="not approved"):
        post(Guard(), "http://localhost:9/")


def test_a_second_answer_of_the_resolver_changes_nothing(
    server: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve, asked = socket.getaddrinfo, []

    def changing(host: str, *rest: object, **named: object) -> list:
        asked.append(host)
        if host == "localhost" and asked.count("localhost") > 1:
            return answers("192.0.2.7")
        return resolve("127.0.0.1", *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", changing)
    assert post(Guard(), f"http://localhost:{server.port}/").text == "fine"
    assert asked.count("localhost") == 1  # the connection went to the address that was checked
    assert server.log[0][0].headers["Host"] == f"localhost:{server.port}"


# ---- redirects ----


@pytest.mark.usefixtures("resolved")
@pytest.mark.parametrize("status", [302, 307, 308])
def test_a_redirect_is_neither_followed_nor_a_way_out(server: HTTPServer, status: int) -> None:
    with Listener() as listener:
        target = f"http://{FAKE}:{listener.port}/"
        server.expect_request("/moved").respond_with_data("", status, {"Location": target})
        assert post(Guard(), server.url_for("/moved")).status_code == status
        with pytest.raises(CharthouseError, match="not approved"):
            post(Guard(), server.url_for("/moved"), follow_redirects=True)
        assert listener.saw_nothing()


# ---- proxies ----


def set_proxies(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, url)
        monkeypatch.setenv(name.upper(), url)


def test_a_proxy_never_sees_plain_http(server: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with Listener() as proxy:
        set_proxies(monkeypatch, f"http://127.0.0.1:{proxy.port}")
        for host in ("127.0.0.1", "localhost"):
            assert post(Guard(), f"http://{host}:{server.port}/").text == "fine"
        assert proxy.saw_nothing()


def test_a_proxy_carries_https_without_seeing_into_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with Listener() as proxy:
        set_proxies(monkeypatch, f"127.0.0.1:{proxy.port}")
        with pytest.raises(httpx2.TransportError):  # it hangs up
            post(Guard(approved_hosts=frozenset({FAKE})), f"https://{FAKE}/")
    assert proxy.received.startswith(f"CONNECT {FAKE}:443 ".encode())
    assert b"Doe" not in proxy.received


@pytest.mark.usefixtures("resolved")
def test_no_proxy_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    with Listener() as proxy, Listener() as host:
        set_proxies(monkeypatch, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", FAKE)
        with pytest.raises(httpx2.TransportError):
            post(Guard("synthetic"), f"https://{FAKE}:{host.port}/")
        assert proxy.saw_nothing()
    assert host.connections == 1


@pytest.mark.parametrize("address", ["ftp://sam:hunter2@proxy.example", "sam:hunter2@proxy:99999"])
def test_a_useless_proxy_is_one_line_without_its_password(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    set_proxies(monkeypatch, address)
    with pytest.raises(CharthouseError, match="HTTPS_PROXY") as refusal:
        post(Guard("synthetic"), f"https://{FAKE}/")
    assert "hunter2" not in str(refusal.value)


# ---- the log ----


def test_a_send_is_logged_before_it_leaves_and_holds_no_text(server: HTTPServer) -> None:
    seen_by_server: list[int] = []
    sends: list[Send] = []

    def log(send: Send) -> None:
        seen_by_server.append(len(server.log))
        sends.append(send)

    with sending(3):
        post(Guard(log=log), server.url_for("/"))
    assert seen_by_server == [0]
    (send,) = sends
    received = server.log[0][0].get_data()
    assert (send.items, send.bytes) == (3, len(received)) == (3, len(TEXT.encode()))
    assert abs(send.at - datetime.now(UTC).replace(tzinfo=None)) < timedelta(minutes=1)
    assert "Doe" not in repr(send)


def test_what_cannot_be_logged_is_not_sent(server: HTTPServer) -> None:
    def log(_: Send) -> None:
        raise CharthouseError("the warehouse is in use")

    with pytest.raises(CharthouseError, match="in use"):
        post(Guard(log=log), server.url_for("/"))
    assert not server.log


def test_a_refusal_is_not_logged_as_a_send() -> None:
    sends: list[Send] = []
    with pytest.raises(CharthouseError):
        post(Guard(log=sends.append), "https://api.openai.com/v1")
    assert not sends


def test_a_streamed_body_is_counted_too(server: HTTPServer) -> None:
    sends: list[Send] = []
    with guarded_client(Guard(log=sends.append)) as client:
        client.post(server.url_for("/"), content=(part.encode() for part in TEXT))
    assert sends[0].bytes == len(TEXT)


def test_threads_share_a_guard(server: HTTPServer) -> None:
    busy: list[bool] = []
    sends: list[Send] = []
    inside = False

    def log(send: Send) -> None:
        nonlocal inside
        busy.append(inside)
        inside = True
        time.sleep(0.001)  # lets another thread in, if it may
        sends.append(send)
        inside = False

    def ask(number: int) -> tuple[int, str]:
        with sending(number):
            return number, client.post(server.url_for("/echo"), content="x" * number).text

    def echo(request: Request) -> Response:
        return Response(str(len(request.get_data())))

    server.expect_request("/echo").respond_with_handler(echo)
    with guarded_client(Guard(log=log)) as client, ThreadPoolExecutor(8) as pool:
        for number, text in pool.map(ask, range(40)):
            assert text == str(number)
    assert sorted((send.items, send.bytes) for send in sends) == [(n, n) for n in range(40)]
    assert not any(busy)
    post(Guard(log=log), server.url_for("/"))
    assert sends[-1].items == 0  # nothing declared


# ---- no way around it ----

OTHER_WAYS = {"requests", "urllib3", "aiohttp", "http.client", "httpx", "httpcore2", "ftplib"}
OF_GUARD = {"socket": "guard.py", "urllib.request": "guarded_http.py"}
CLIENTS = {"Client", "AsyncClient", "HTTPTransport", "get", "post", "put", "request", "stream"}


def test_only_the_guarded_client_opens_connections() -> None:
    for path in (PROJECT / "python/charthouse").rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        modules = {alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names}
        sources = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
        foreign = OTHER_WAYS | {name for name, owner in OF_GUARD.items() if path.name != owner}
        assert not (modules | sources) & foreign, path
        assert "httpx2" not in sources, path  # so that what it makes is seen by its full name
        calls = {ast.unparse(n.func): n for n in nodes if isinstance(n, ast.Call)}
        if path.name != "guarded_http.py":
            assert not set(calls) & {f"httpx2.{name}" for name in CLIENTS}, path
        assert path.name == "openai_api.py" or not any("OpenAI" in name for name in calls), path


def test_a_server_that_nobody_runs_is_a_connection_error_whatever_its_addresses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each address that localhost has is tried; the last failure is told."""
    with socket.socket() as held:  # bound and not listening: nobody else can answer there
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        asked = answers("127.0.0.1", "127.0.0.2")
        monkeypatch.setattr(socket, "getaddrinfo", lambda *given, **more: asked)
        with pytest.raises(httpx2.ConnectError):
            post(Guard(), f"http://localhost:{port}/")

"""The HTTP client behind the guard: a transport that asks it about every request."""

import ssl
import threading
import urllib.request
from datetime import UTC, datetime

import httpx2

from charthouse.core.errors import CharthouseError
from charthouse.net.guard import Guard, Route, Send, current_sending, has_real_port


def guarded_client(guard: Guard, *, timeout: float = 60.0, connections: int = 4) -> httpx2.Client:
    """The only HTTP client for patient data: every request is checked and logged by the guard.

    The timeout is in seconds, for connecting, for sending, and for each part of the answer; so many
    connections are kept open for the next request.
    """
    return httpx2.Client(
        transport=GuardedTransport(guard, connections),
        follow_redirects=False,  # and if a caller turns it on, the target is checked like any other
        trust_env=False,  # no proxies and no .netrc behind the guard's back
        timeout=timeout,
    )


class GuardedTransport(httpx2.BaseTransport):
    """Checks, logs, then sends. The last code of ours before the socket; thread-safe."""

    def __init__(self, guard: Guard, connections: int) -> None:
        self._guard = guard
        self._limits = httpx2.Limits(max_keepalive_connections=connections)
        # a transport by itself knows no proxies
        self._direct = httpx2.HTTPTransport(limits=self._limits)
        self._proxied: dict[str, httpx2.HTTPTransport] = {}
        self._making = threading.Lock()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Sends the request if the guard lets it.

        Raises:
            CharthouseError: refused; nothing was sent, not even a connection was opened. Or the
                host shows a certificate that is not trusted: no further attempt will mend that.
        """
        route = self._guard.check(request.url)
        if request.headers.get("host", "").lower() != request.url.netloc.decode("ascii"):
            # Many services share a front: the header, not the address, would choose among them.
            raise CharthouseError(
                f"{route.host}: refused, nothing was sent. The header Host names another host: take"
                " it out (OPENAI_CUSTOM_HEADERS?)."
            )
        # Certificates are checked against the URL's own host, whatever a caller asked for.
        request.extensions.pop("sni_hostname", None)
        body = request.read()
        sent = current_sending()
        sent.begin()
        now = datetime.now(UTC).replace(tzinfo=None)
        self._guard.record(Send(route.host, route.because, sent.items, len(body), now))
        try:
            if route.addresses:
                return self._send_to_addresses(request, route)
            return self._transport(request.url, route).handle_request(request)
        except httpx2.ConnectError as error:
            if not _is_bad_certificate(error):
                raise
        raise CharthouseError(
            f"{route.host} shows a certificate that this machine does not trust. Set SSL_CERT_FILE"
            " to your institution's certificates. Then run again: what is finished is kept."
        )

    def close(self) -> None:
        """Closes all connections."""
        for transport in (self._direct, *self._proxied.values()):
            transport.close()

    def _send_to_addresses(self, request: httpx2.Request, route: Route) -> httpx2.Response:
        failure: httpx2.TransportError | None = None
        for address in route.addresses:
            bound = httpx2.Request(
                request.method,
                request.url.copy_with(host=address),
                headers=request.headers,  # Host keeps the name
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": route.host},
            )
            try:
                return self._direct.handle_request(bound)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                failure = error
        assert failure is not None  # a route has no empty list of addresses
        raise failure

    def _transport(self, url: httpx2.URL, route: Route) -> httpx2.HTTPTransport:
        """Through the environment's proxy only where it sees nothing but TLS: never plain http."""
        if route.because == "loopback" or url.scheme != "https":
            return self._direct
        proxies = urllib.request.getproxies()
        proxy = proxies.get("https") or proxies.get("all")
        if not proxy or urllib.request.proxy_bypass(url.host):
            return self._direct
        with self._making:
            if proxy not in self._proxied:
                try:
                    address = proxy if "://" in proxy else f"http://{proxy}"
                    if not has_real_port(address):
                        raise ValueError
                    self._proxied[proxy] = httpx2.HTTPTransport(proxy=address, limits=self._limits)
                except (ImportError, ValueError, httpx2.InvalidURL):
                    # not the value: it may hold a password
                    raise CharthouseError(
                        "HTTPS_PROXY (or ALL_PROXY) cannot be used: it must be http://host:port."
                    ) from None
            return self._proxied[proxy]


def _is_bad_certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False

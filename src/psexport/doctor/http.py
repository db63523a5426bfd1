"""Single HTTP requests, bounded in time and size, that log on nowhere.

The product's own transports follow redirections, retry and remember; here every answer
of a host is looked at as it came.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from ..connection import Connection

#: More of a body than this is nobody's answer to a question of ours.
MAX_BODY = 64 * 1024


class ProxyRefusalError(Exception):
    """The proxy answers a tunnel with something else than 200.

    :ivar status: its HTTP status.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"the proxy answers {status}")
        self.status = status


@dataclass(frozen=True)
class Route:
    """How HTTP gets to a host.

    :ivar host: the host itself.
    :ivar proxy: host and port of the proxy on the way, if there is one.
    """

    host: str
    port: int
    use_ssl: bool
    path: str
    proxy: tuple[str, int] | None = None

    @property
    def name(self) -> str:
        """The host without the zone of an address, which is nobody else's business."""
        return self.host.partition("%")[0]

    @property
    def next_hop(self) -> tuple[str, int]:
        """Where the connection goes to."""
        return self.proxy or (self.host, self.port)

    @property
    def proxy_name(self) -> str:
        """The proxy in a message; "" if there is none."""
        return f"{self.proxy[0]}:{self.proxy[1]}" if self.proxy else ""

    @property
    def authority(self) -> str:
        """Host and port as a URI has them."""
        host = f"[{self.name}]" if ":" in self.name else self.name
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The address of the service."""
        return f"{'https' if self.use_ssl else 'http'}://{self.authority}{self.path}"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """The first header of this name; "" if there is none."""
        return next(iter(self.every(name)), "")

    def every(self, name: str) -> list[str]:
        """All headers of this name."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


def route_of(connection: Connection) -> Route:
    """How a connection goes, as the product's transports go."""
    host = connection.host
    with contextlib.suppress(UnicodeError):
        host = host.encode("idna").decode("ascii")
    proxy = None
    if connection.proxy_uri:
        parts = urlsplit(connection.proxy_uri)
        proxy = (parts.hostname or "", parts.port or 80)
    uri = urlsplit(connection.connection_uri)
    query = f"?{uri.query}" if uri.query else ""
    return Route(
        host=host,
        port=connection.port or (5986 if connection.use_ssl else 5985),
        use_ssl=connection.use_ssl,
        path=f"/{quote(connection.application_name)}{query}",
        proxy=proxy,
    )


@contextlib.contextmanager
def stream(route: Route, seconds: float) -> Iterator[socket.socket]:
    """A connection to the host, through the proxy if one is on the way of TLS.

    :param seconds: after these the connection is cut, whatever is under way.
    :raises OSError: it fails or lasts too long.
    :raises ProxyRefusalError: the proxy makes no tunnel.
    """
    with socket.create_connection(route.next_hop, timeout=seconds) as plain:
        too_long = threading.Event()
        timer = threading.Timer(seconds, _cut, (plain, too_long))
        timer.daemon = True
        timer.start()
        # The time-out of the socket itself would be for each piece that comes.
        try:
            if route.proxy is not None and route.use_ssl:
                _tunnel(plain, route.authority)
            yield plain
            # An end that was made here may look like a short answer.
            if too_long.is_set():
                raise TimeoutError
        except (OSError, http.client.HTTPException):
            if too_long.is_set():
                raise TimeoutError from None
            raise
        finally:
            timer.cancel()


def post(
    route: Route,
    body: bytes,
    headers: Mapping[str, str],
    *,
    context: ssl.SSLContext | None,
    seconds: float,
) -> Answer:
    """Send one request and read its answer, as far as :data:`MAX_BODY`.

    :param context: for TLS; what it checks is its own business.
    :raises OSError: the connection fails, or nothing comes in time.
    :raises http.client.HTTPException: what comes is no HTTP.
    :raises ProxyRefusalError: the proxy makes no tunnel.
    """
    with stream(route, seconds) as plain, contextlib.ExitStack() as stack:
        channel = plain
        if route.use_ssl and context is not None:
            channel = context.wrap_socket(plain, server_hostname=route.name)
            stack.enter_context(channel)
        connection = http.client.HTTPConnection(route.host, route.port)
        connection.sock = channel
        through = route.proxy is not None and not route.use_ssl
        connection.putrequest(
            "POST",
            route.url if through else route.path,
            skip_host=True,
            skip_accept_encoding=True,
        )
        told = {"Host": route.authority, "Content-Length": str(len(body)), **headers}
        for name, value in told.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        return Answer(
            response.status, tuple(response.getheaders()), response.read(MAX_BODY)
        )


def _tunnel(plain: socket.socket, authority: str) -> None:
    request = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n"
    plain.sendall(request.encode("ascii", "ignore"))
    response = http.client.HTTPResponse(plain, method="CONNECT")
    response.begin()
    if response.status != 200:
        raise ProxyRefusalError(response.status)


def _cut(plain: socket.socket, too_long: threading.Event) -> None:
    too_long.set()
    with contextlib.suppress(OSError):
        plain.shutdown(socket.SHUT_RDWR)


__all__ = [
    "MAX_BODY",
    "Answer",
    "ProxyRefusalError",
    "Route",
    "post",
    "route_of",
    "stream",
]

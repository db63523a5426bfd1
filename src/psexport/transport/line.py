"""A line to a host: from its name to a socket, through a proxy and TLS as need be."""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import ssl
import time
from urllib.parse import urlsplit

from ..connection import Connection
from ..secret import Secret
from . import http_failures, tls


class Line:
    """A connection on the level of bytes, opened again and again.

    :ivar step: what it is doing: ``resolve``, ``connect``, ``tls``.
    :ivar deadline: the time (monotonic) at which all waiting ends.
    """

    def __init__(self, connection: Connection, secret: Secret) -> None:
        self.step = "connect"
        self.deadline = 0.0
        self._connection = connection
        self._secret = secret
        self._socket: socket.socket | None = None
        self._aborted = False

    def open(self) -> socket.socket:
        """Connect; whatever was connected before is closed.

        :raises TransportError: a proxy or a certificate is in the way.
        :raises OSError: all else that can go wrong; ``step`` says where.
        """
        self.close()
        if self._aborted:
            raise TimeoutError
        connection = self._connection
        made = self._reach()
        if connection.use_ssl:
            if connection.proxy_uri:
                self._tunnel(made)
            self.step = "tls"
            context = tls.context(connection, self._secret)
            self.patience()
            made = context.wrap_socket(
                made, server_hostname=connection.host.partition("%")[0]
            )
            self._socket = made
            tls.check(made, connection)
        return made

    def close(self) -> None:
        """Close what is connected."""
        made, self._socket = self._socket, None
        if made is not None:
            with contextlib.suppress(OSError):
                made.close()

    def abort(self) -> None:
        """End whatever is under way, for good; from any thread."""
        self._aborted = True
        made = self._socket
        if made is not None:
            # Past the TLS layer, which another thread may be in.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(made, socket.SHUT_RDWR)

    def patience(self) -> None:
        """Let the socket wait for as long as there is time, and no longer.

        :raises TimeoutError: there is none.
        """
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if self._socket is not None:
            self._socket.settimeout(left)

    def is_stale(self) -> bool:
        """Whether the host has closed the connection since its last word."""
        made = self._socket
        if made is None or made.fileno() < 0:
            return True
        try:
            readable, _, _ = select.select([made], [], [], 0)
        except (OSError, ValueError):
            return True
        # It has nothing to say unasked, but that it is gone.
        return bool(readable)

    def certificate(self) -> bytes | None:
        """The host's certificate (DER); ``None`` without TLS."""
        if isinstance(self._socket, ssl.SSLSocket):
            return self._socket.getpeercert(binary_form=True)
        return None

    def _reach(self) -> socket.socket:
        """Connect to the host, or to the proxy before it."""
        connection = self._connection
        if not connection.proxy_uri:
            return self._dial(connection.host, connection.port or 0)
        proxy = urlsplit(connection.proxy_uri)
        try:
            return self._dial(proxy.hostname or "", proxy.port or 80)
        except OSError as error:
            failure = http_failures.proxy_unreachable(connection, self.step, error)
        raise failure

    def _dial(self, host: str, port: int) -> socket.socket:
        self.step = "resolve"
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        self.step = "connect"
        last = OSError("there is no address")
        for family, kind, protocol, _, address in found:
            made = socket.socket(family, kind, protocol)
            self._socket = made
            try:
                self.patience()
                made.connect(address)
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as error:
                made.close()
                last = error
            else:
                return made
        raise last

    def _tunnel(self, made: socket.socket) -> None:
        """Have the proxy lead the connection to the host."""
        host = self._connection.host
        there = f"[{host}]" if ":" in host else host.encode("idna").decode()
        there = f"{there}:{self._connection.port}"
        self.patience()
        made.sendall(f"CONNECT {there} HTTP/1.1\r\nHost: {there}\r\n\r\n".encode())
        answer = http.client.HTTPResponse(made, method="CONNECT")
        try:
            answer.begin()
        except http.client.HTTPException:
            code = None
        else:
            code = answer.status
        answer.close()
        if code != 200:
            raise http_failures.proxy(self._connection, code)


__all__ = ["Line"]

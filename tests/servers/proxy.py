"""A small HTTP proxy: CONNECT tunnels and plain requests, or a refusal."""

from __future__ import annotations

import base64
import contextlib
import select
import socket
import socketserver
import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Self, cast
from urllib.parse import urlsplit

_CHUNK = 65536
_HOP_BY_HOP = {"proxy-connection", "proxy-authorization", "connection", "keep-alive"}


class Proxy:
    """A proxy on loopback.

    With `refuse` it answers every request with that HTTP status (403, 407, 502, …);
    with `user` and `password` it wants Basic proxy authentication; with `cut_after`
    it drops a tunnel after so many bytes from the server. `requests` tells what it was
    asked for, as `METHOD target`.
    """

    def __init__(
        self,
        *,
        refuse: int | None = None,
        user: str = "",
        password: str = "",
        cut_after: int | None = None,
    ) -> None:
        self.refuse = refuse
        self.cut_after = cut_after
        self.requests: list[str] = []
        self.stopping = threading.Event()
        self._secret = f"{user}:{password}" if user else ""
        self._listener = _Listener(self)
        self._thread = threading.Thread(
            target=self._listener.serve_forever, args=(0.05,), name="proxy"
        )

    @property
    def port(self) -> int:
        return int(self._listener.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def admits(self, authorization: str | None) -> bool:
        """Whether a Proxy-Authorization header opens this proxy."""
        if not self._secret:
            return True
        expected = base64.b64encode(self._secret.encode()).decode()
        return authorization == f"Basic {expected}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stopping.set()
        self._listener.shutdown()
        self._thread.join()
        self._listener.close_connections()
        self._listener.server_close()


class _Listener(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = False

    def __init__(self, owner: Proxy) -> None:
        self.owner = owner
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Connection)

    def close_connections(self) -> None:
        for connection in tuple(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def owner(self) -> Proxy:
        return cast("_Listener", self.server).owner

    def setup(self) -> None:
        cast("_Listener", self.server).connections.add(self.request)
        self._upstream: HTTPConnection | None = None
        super().setup()

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            super().handle()

    def finish(self) -> None:
        cast("_Listener", self.server).connections.discard(self.request)
        if self._upstream is not None:
            self._upstream.close()
        with contextlib.suppress(OSError):
            super().finish()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: what was asked is in the proxy's requests."""

    def do_CONNECT(self) -> None:
        if not self._admit():
            return
        host, _, port = self.path.rpartition(":")
        try:
            upstream = socket.create_connection((host.strip("[]"), int(port)), 5)
        except OSError:
            self._answer(502)
            return
        with upstream:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self._tunnel(upstream)
        self.close_connection = True

    def do_POST(self) -> None:
        """Forward a plain request; the connection upstream is kept for the next.

        NTLM and Kerberos log on the connection, so each client's needs its own.
        """
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self._admit():
            return
        target = urlsplit(self.path)
        if self._upstream is None:
            self._upstream = HTTPConnection(target.hostname or "", target.port or 80)
        headers = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in _HOP_BY_HOP
        }
        try:
            self._upstream.request("POST", target.path, body, headers)
            response = self._upstream.getresponse()
            content = response.read()
        except OSError:
            self._answer(502)
            return
        lines = [f"HTTP/1.1 {response.status} {response.reason}"]
        lines += [f"{name}: {value}" for name, value in response.getheaders()]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1") + content)

    def _admit(self) -> bool:
        self.owner.requests.append(f"{self.command} {self.path}")
        if self.owner.refuse is not None:
            self._answer(self.owner.refuse)
            return False
        if not self.owner.admits(self.headers.get("Proxy-Authorization")):
            self._answer(407)
            return False
        return True

    def _answer(self, status: int) -> None:
        self.send_response(status)
        if status == 407:
            self.send_header("Proxy-Authenticate", 'Basic realm="proxy"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _tunnel(self, upstream: socket.socket) -> None:
        left = self.owner.cut_after
        peers = {self.connection: upstream, upstream: self.connection}
        while not self.owner.stopping.is_set():
            readable, _, _ = select.select(list(peers), [], [], 0.1)
            for source in readable:
                data = source.recv(_CHUNK)
                if not data:
                    return
                if left is not None and source is upstream:
                    data = data[:left]
                    left -= len(data)
                peers[source].sendall(data)
                if left == 0:
                    return

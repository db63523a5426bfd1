"""The server: its settings, its listener, what it saw, its end."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from .accounts import install_ntlm_accounts
from .auth import AuthMethod, ChannelBinding
from .connection import Connection, ConnectionLostError, Exchange
from .faults import Fault, FaultPlan
from .psrp_shell import Endpoint
from .service import Limits, Service, Settings
from .shell import Shell

DEFAULT_CONFIGURATION = "Microsoft.PowerShell"


@dataclass(frozen=True)
class ServerTls:
    """Server certificate and key (PEM files); `client_ca` to ask for client ones."""

    certificate_file: Path
    key_file: Path
    client_ca: Path | None = None


class _Tls:
    """`ServerTls` made ready: the context, and the certificate as DER."""

    def __init__(self, tls: ServerTls) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(tls.certificate_file, tls.key_file)
        if tls.client_ca is not None:
            self.context.verify_mode = ssl.CERT_OPTIONAL
            self.context.load_verify_locations(tls.client_ca)
        parsed = x509.load_pem_x509_certificate(tls.certificate_file.read_bytes())
        self.certificate = parsed.public_bytes(serialization.Encoding.DER)


class Listener(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Gives each connection a thread; a bug in one is kept for the end."""

    request_queue_size = 128
    daemon_threads = False

    def __init__(self, owner: WsmanServer, address: tuple[str, int]) -> None:
        self.owner = owner
        super().__init__(address, Connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        if isinstance(error, Exception) and not isinstance(error, ConnectionLostError):
            self.owner.errors.append(error)

    def shutdown_request(self, request: Any) -> None:
        # The connection closes its own socket, which TLS may have replaced.
        if not isinstance(request, socket.socket) or request.fileno() < 0:
            return
        super().shutdown_request(request)


class WsmanServer:
    """A WS-Management host on loopback, real from the wire to the engine.

    Use it as a context manager. `auth` says which methods it offers, `endpoints` its
    session configurations, `faults` what goes wrong and when. `pwsh` is the engine; a
    server without one still answers everything that needs none.

    After it has stopped, no process, thread or socket of it is left; `__exit__` raises
    the errors that its own code had, so that a test does not pass on a broken server.
    """

    def __init__(
        self,
        *,
        pwsh: str | None = None,
        auth: Iterable[AuthMethod] = ("negotiate", "kerberos"),
        tls: ServerTls | None = None,
        endpoints: Mapping[str, Endpoint] | None = None,
        faults: Iterable[Fault] = (),
        limits: Limits | None = None,
        allow_unencrypted: bool = False,
        channel_binding: ChannelBinding = "relaxed",
        paths: Iterable[str] = ("/wsman",),
        idle_connection: float | None = None,
        cmd_enabled: bool = True,
        name: str = "localhost",
    ) -> None:
        self.auth = tuple(auth)
        self.tls = _Tls(tls) if tls else None
        self.plan = FaultPlan(faults)
        self.limits = limits or Limits()
        self.allow_unencrypted = allow_unencrypted
        self.channel_binding: ChannelBinding = channel_binding
        self.paths = tuple(path.rstrip("/").lower() for path in paths)
        self.idle_connection = idle_connection
        self.name = name
        self.exchanges: list[Exchange] = []
        self.errors: list[Exception] = []
        self.connections: set[socket.socket] = set()
        self.stopping = threading.Event()
        self._down_until = 0.0
        if {"ntlm", "negotiate", "credssp"} & set(self.auth):
            install_ntlm_accounts()
        if endpoints is None:
            endpoints = {DEFAULT_CONFIGURATION: Endpoint()}
        self._listener = Listener(self, ("127.0.0.1", 0))
        self.service = Service(
            Settings(
                endpoints=endpoints,
                limits=self.limits,
                pwsh=pwsh,
                methods=self.auth,
                allow_unencrypted=allow_unencrypted,
                cmd_enabled=cmd_enabled,
            )
        )
        self._thread = threading.Thread(
            target=self._listener.serve_forever, args=(0.05,), name="wsman-listener"
        )

    @property
    def port(self) -> int:
        return int(self._listener.server_address[1])

    @property
    def url(self) -> str:
        """The address of the service at the first of its paths."""
        scheme = "https" if self.tls else "http"
        return f"{scheme}://{self.name}:{self.port}{self.paths[0]}"

    @property
    def open_shells(self) -> list[Shell]:
        """Shells that no client has deleted, no time-out and no crash has ended."""
        return [shell for shell in self.service.shells if shell.is_alive]

    @property
    def operations(self) -> list[str]:
        """The WS-Management operations that were asked for, in order."""
        return [each.operation for each in self.exchanges if each.operation]

    @property
    def is_down(self) -> bool:
        """Whether the host is in the middle of a reboot."""
        return time.monotonic() < self._down_until

    def reboot(self, seconds: float = 0.0) -> None:
        """Lose all shells and connections; for `seconds`, reset every new one."""
        self._down_until = time.monotonic() + seconds
        self.close_connections()
        self.service.lose_shells()

    def close_connections(self) -> None:
        """Close every connection as it is, as a host does with idle ones."""
        for connection in tuple(self.connections):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def start(self) -> Self:
        self.service.start()
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop, kill what runs, and wait until nothing of it is left."""
        self.stopping.set()
        self._listener.shutdown()
        self._thread.join()
        self.close_connections()
        self.service.stop()
        self._listener.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        if self.errors and error is None:
            raise ExceptionGroup("the WSMan server itself failed", self.errors)

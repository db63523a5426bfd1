"""One HTTP connection: faults, logging on, encryption, then the service.

As with Windows's http.sys, logging on and message encryption belong to the connection.
A request passes these stations, each of which may answer it:

    fault "connect" (before TLS) -> size -> path -> fault "auth" -> logging on
    -> decryption -> envelope -> fault of the operation -> service -> encryption
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from http.client import responses
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, NoReturn, cast

from . import encryption, soap
from .auth import ConnectionAuth, Identity
from .faults import (
    Drop,
    Effect,
    Half,
    HostDies,
    Http,
    Phase,
    Reboot,
    Redirect,
    Reset,
    Stall,
    Wsman,
)
from .service import Caller
from .shell import ClientGoneError
from .soap import Request
from .wsman_fault import WsmanFaultError

if TYPE_CHECKING:
    from .server import Listener, WsmanServer

SOAP_TYPE = "application/soap+xml;charset=UTF-8"
_LOOK_SECONDS = 0.05
# Signatures and boundaries that an encrypted request may have above its envelope.
_ENCRYPTION_OVERHEAD = 4096
_PHASES: dict[str, Phase] = {
    "Get": "get",
    "Enumerate": "enumerate",
    "Create": "create",
    "Command": "command",
    "Send": "send",
    "Receive": "receive",
    "Signal": "signal",
    "Delete": "delete",
    "Disconnect": "disconnect",
    "Reconnect": "reconnect",
    "Connect": "reattach",
}


class ConnectionLostError(Exception):
    """The connection is over, on purpose or not; nothing more is sent."""


@dataclass
class Exchange:
    """A request as the server saw it, and what it came to.

    `body` is the envelope after decryption; `status` stays 0 when nothing was
    answered; `request` is None for what is no WS-Management envelope.
    """

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    client: tuple[str, int]
    body: bytes = b""
    encrypted: bool = False
    identity: Identity | None = None
    request: Request | None = None
    status: int = 0
    fault_code: int | None = None

    @property
    def operation(self) -> str | None:
        """Create, Command, Receive, …; Identify; None for a bare HTTP request."""
        if self.request is None:
            return None
        return "Identify" if self.request.is_identify else self.request.operation

    @property
    def configuration(self) -> str | None:
        """The session configuration that the resource URI names."""
        uri = self.request.resource_uri if self.request else ""
        name = uri.removeprefix(soap.POWERSHELL)
        return name if name != uri else None

    def header(self, name: str) -> str | None:
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return None


@dataclass(frozen=True)
class _Answer:
    """What is sent back, and how the connection goes on after it."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    is_soap: bool = True
    fault_code: int | None = None
    part: float = 1.0
    then_close: bool = False
    then_reset: bool = False


@dataclass
class _Session:
    """What one request has come to know on its way."""

    exchange: Exchange
    protocol: str | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)


class Connection(BaseHTTPRequestHandler):
    """The handler of one connection; `http.server` gives it a thread."""

    protocol_version = "HTTP/1.1"

    @property
    def owner(self) -> WsmanServer:
        return cast("Listener", self.server).owner

    def setup(self) -> None:
        self.owner.connections.add(self.request)
        try:
            self._open()
        except BaseException:
            self.owner.connections.discard(self.request)
            raise
        super().setup()
        self.connection.settimeout(self.owner.idle_connection)

    def _open(self) -> None:
        self._enter_connect(self.owner.plan.due("connect"))
        certificate = None
        tls = self.owner.tls
        if tls is not None:
            raw = self.request
            try:
                self.request = tls.context.wrap_socket(raw, server_side=True)
            except (OSError, ssl.SSLError) as error:
                raise ConnectionLostError from error
            self.owner.connections.discard(raw)
            self.owner.connections.add(self.request)
            certificate = self.request.getpeercert(binary_form=True)
        self._auth = ConnectionAuth(
            self.owner.auth,
            allow_unencrypted=self.owner.allow_unencrypted,
            channel_binding=self.owner.channel_binding,
            server_certificate=tls.certificate if tls else None,
            client_certificate=certificate,
        )

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()
        self.owner.connections.discard(self.request)
        with contextlib.suppress(OSError):
            self.request.close()

    def handle(self) -> None:
        with contextlib.suppress(OSError, ConnectionLostError):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: what was seen is in the server's exchanges."""

    def do_GET(self) -> None:
        self._exchange(b"")  # which is what a followed redirect turns a POST into

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionLostError
        self._exchange(body)

    def _exchange(self, body: bytes) -> None:
        exchange = Exchange(
            method=self.command,
            path=self.path,
            headers=tuple(self.headers.items()),
            client=self.client_address,
        )
        self.owner.exchanges.append(exchange)
        session = _Session(exchange)
        largest = self.owner.limits.max_envelope_kb * 1024 + _ENCRYPTION_OVERHEAD
        if len(body) > largest:
            answer = _Answer(413, headers=(("Connection", "close"),), then_close=True)
        elif self.path.partition("?")[0].rstrip("/").lower() not in self.owner.paths:
            answer = _Answer(404)
        elif self.command != "POST":
            answer = _Answer(405)
        elif self._auth.identity is None:
            due = self.owner.plan.due("auth")
            answer = self._under(due, lambda: self._log_on(session, body), session)
        else:
            answer = self._log_on(session, body)
        self._send(answer, session)

    def _log_on(self, session: _Session, body: bytes) -> _Answer:
        if self.headers.get("WSMANIDENTIFY", "").lower() == "unauthenticated":
            return self._identify(session, body, authenticated=False)
        verdict = self._auth.check(self.headers.get("Authorization"))
        session.headers = [("WWW-Authenticate", value) for value in verdict.headers]
        session.exchange.identity = verdict.identity
        if verdict.identity is None:
            return _Answer(401)
        return self._open_body(session, body, verdict.identity)

    def _open_body(self, session: _Session, body: bytes, identity: Identity) -> _Answer:
        session.protocol = encryption.protocol_of(self.headers.get("Content-Type", ""))
        if session.protocol is not None:
            context = self._auth.sealing_context
            if context is None:
                return _Answer(400)
            try:
                body = encryption.unseal(context, body)
            except encryption.DecryptionError:
                return _Answer(400)
            session.exchange.encrypted = True
        elif body and self.owner.tls is None and not self.owner.allow_unencrypted:
            return _Answer(500)
        session.exchange.body = body
        if not body:
            return _Answer(200)
        return self._operate(session, body, identity)

    def _operate(self, session: _Session, body: bytes, identity: Identity) -> _Answer:
        try:
            request = soap.parse_request(body)
        except WsmanFaultError as fault:
            return self._fault(fault, fault.relates_to)
        session.exchange.request = request
        if request.is_identify:
            return self._identify(session, body, authenticated=True)
        caller = Caller(identity.name, self.client_address[0], self._gone)

        def carry_out() -> _Answer:
            try:
                return _Answer(200, self.owner.service.handle(request, caller))
            except WsmanFaultError as fault:
                return self._fault(fault, request.message_id)
            except ClientGoneError:
                raise ConnectionLostError from None

        phase = _PHASES.get(request.operation)
        due = self.owner.plan.due(phase) if phase else None
        return self._under(due, carry_out, session)

    def _identify(
        self, session: _Session, body: bytes, *, authenticated: bool
    ) -> _Answer:
        with contextlib.suppress(WsmanFaultError):
            session.exchange.request = soap.parse_request(body)
        answer = self.owner.service.identify(authenticated=authenticated)
        due = self.owner.plan.due("identify")
        return self._under(due, lambda: _Answer(200, answer), session)

    def _fault(self, fault: WsmanFaultError, relates_to: str) -> _Answer:
        body = soap.fault_answer(fault, relates_to, self.owner.name)
        return _Answer(500, body, fault_code=fault.code)

    # Faults

    def _under(
        self,
        effect: Effect | None,
        proceed: Callable[[], _Answer],
        session: _Session,
    ) -> _Answer:
        """The answer under a fault of the plan; `proceed` is how it goes without."""
        request = session.exchange.request
        match effect:
            case None:
                return proceed()
            case Reset(after=True):
                return replace(proceed(), then_reset=True)
            case Reset():
                self._reset()
            case Stall(seconds=seconds, stubborn=stubborn):
                self._stall(seconds, stubborn=stubborn)
                return proceed()
            case Half(part=part):
                return replace(proceed(), part=part, then_close=True)
            case Drop():
                return replace(proceed(), then_close=True)
            case Http(status=status, body=body, headers=headers):
                return _Answer(status, body, headers, is_soap=False)
            case Redirect(url=url, status=status):
                return _Answer(status, headers=(("Location", url),), is_soap=False)
            case Wsman(code=code, message=message, provider=provider):
                fault = WsmanFaultError.known(code, message, provider)
                return self._fault(fault, request.message_id if request else "")
            case HostDies():
                shell = self.owner.service.find_shell(request) if request else None
                if shell is not None:
                    shell.kill()
                return proceed()
            case Reboot(seconds=seconds):
                self.owner.reboot(seconds)
        raise ConnectionLostError

    def _enter_connect(self, effect: Effect | None) -> None:
        if self.owner.is_down:
            self._reset()
        match effect:
            case None:
                return
            case Reset():
                self._reset()
            case Stall(seconds=seconds):
                self._stall(seconds)
            case Drop():
                self.request.close()
                raise ConnectionLostError
            case Reboot(seconds=seconds):
                self.owner.reboot(seconds)
                raise ConnectionLostError

    def _reset(self) -> NoReturn:
        with contextlib.suppress(OSError):
            linger = struct.pack("ii", 1, 0)
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.request.close()
        raise ConnectionLostError

    def _stall(self, seconds: float | None, *, stubborn: bool = False) -> None:
        deadline = None if seconds is None else time.monotonic() + seconds
        while deadline is None or time.monotonic() < deadline:
            stopping = self.owner.stopping.wait(_LOOK_SECONDS)
            if stopping or (not stubborn and self._gone()):
                raise ConnectionLostError

    def _gone(self) -> bool:
        """Whether the client closed the connection while it waits for an answer."""
        if self.owner.stopping.is_set():
            return True
        flags = socket.MSG_PEEK | socket.MSG_DONTWAIT
        try:
            # Past the TLS layer: a client that waits sends no record but its last.
            waiting = socket.socket.recv(self.request, 1, flags)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return not waiting or isinstance(self.request, ssl.SSLSocket)

    # Answering

    def _send(self, answer: _Answer, session: _Session) -> None:
        body, content_type = answer.body, SOAP_TYPE if answer.is_soap else "text/html"
        context = self._auth.sealing_context
        if session.protocol and answer.is_soap and body and context:
            content_type, body = encryption.seal(context, session.protocol, body)
        headers = [("Server", "Microsoft-HTTPAPI/2.0"), *session.headers]
        named = {name.lower() for name, _ in answer.headers}
        if body and "content-type" not in named:
            headers.append(("Content-Type", content_type))
        headers += answer.headers
        headers.append(("Date", formatdate(usegmt=True)))
        headers.append(("Content-Length", str(len(body))))
        phrase = responses.get(answer.status, "")
        lines = [f"HTTP/1.1 {answer.status} {phrase}"]
        lines += [f"{name}: {value}" for name, value in headers]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        session.exchange.fault_code = answer.fault_code
        if answer.then_reset:
            self._reset()
        session.exchange.status = answer.status
        self.wfile.write(head + body[: int(len(body) * answer.part)])
        if answer.then_close:
            raise ConnectionLostError

"""One HTTP connection to a WSMan service: reach it, log on, seal, send, receive.

Logging on to WSMan belongs to a connection, and so does the key that seals messages.
So does a :class:`Wire`: when the connection is lost, what was agreed on it is lost with
it, and the next message goes over a new one. A message that was sent is never sent
again here, since the host may have acted on it; only who knows the message can know.

A wire is used by one thread at a time. Whatever it waits for ends with the time that it
was given, and :meth:`Wire.abort` ends it from another thread at once.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import re
import time
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import quote, urljoin, urlsplit

from .. import __version__
from ..connection import Connection
from ..errors import TransportError
from ..secret import Secret
from . import http_failures, logon, wsman_faults
from .http_failures import DroppedError
from .line import Line

#: The largest answer read, in bytes. What is asked for is half a megabyte.
MAX_ANSWER = 16 * 1024 * 1024
#: Steps of one logon; CredSSP needs seven.
_MAX_STEPS = 20
MAX_REDIRECTIONS = 5
_PLAIN = "application/soap+xml;charset=UTF-8"
_SEALED = ("multipart/encrypted", "multipart/x-multi-encrypted")
_BOUNDARY = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)
_REDIRECTIONS = frozenset({301, 302, 303, 307, 308})
_READ = 64 * 1024


class RedirectedError(Exception):
    """The host sends the session to another address, which the user has allowed.

    :ivar connection: how to reach it there.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection.connection_uri)
        self.connection = connection


class Wire:
    """A connection to a WSMan service, made when it is needed.

    :param connection: where to and how.
    :param secret: the password.
    :ivar phase: what the messages are for: ``open``, ``run`` or ``close``.
    :ivar seconds: how long the next message may take.
    :ivar reached: whether the host may have acted on the last message.
    """

    def __init__(self, connection: Connection, secret: Secret) -> None:
        self.connection = connection
        self.phase = "open"
        self.seconds = 60.0
        self.reached = False
        #: Where the message being sent has got to; ``phase`` when the logon is done.
        self._step = "open"
        self._secret = secret
        self._line = Line(connection, secret)
        self._http: http.client.HTTPConnection | None = None
        self._sealing: _Sealing | None = None
        self._conversed = False
        #: Nothing was heard on this connection yet.
        self._unheard = True
        self._encoding = "utf-8"
        self._endpoint = urlsplit(_address(connection))

    @property
    def endpoint(self) -> str:
        """The service's address, as SOAP headers have it."""
        return self._endpoint.geturl()

    @property
    def step(self) -> str:
        """Where the message being sent has got to: a phase."""
        return self._line.step if self._step == "connect" else self._step

    def exchange(self, message: bytes) -> bytes:
        """Send a message within ``seconds``, and return what is answered.

        :raises Fault: the host answers with a fault.
        :raises DroppedError: the connection ended before the answer was there.
        :raises RedirectedError: the session is elsewhere.
        :raises TransportError: all else that can go wrong.
        """
        self._line.deadline = time.monotonic() + self.seconds
        try:
            answer = self._exchange(message)
        except (wsman_faults.Fault, RedirectedError):
            raise
        except Exception as error:
            failure = http_failures.failure(
                error, self.connection, self.step, opened=self.phase != "open"
            )
            if self._unheard and isinstance(failure, DroppedError):
                failure = self._shown_the_door(failure)
            self.close()
        else:
            return answer
        # Outside of the handler, so that no traceback keeps what was being sent.
        raise failure

    # What pypsrp and pywinrm call, who take a wire for their transport.

    def send(self, message: bytes, **_: object) -> bytes:
        """:meth:`exchange`, for pypsrp; how long to wait is said here alone."""
        return self.exchange(message)

    def send_message(self, message: bytes | str) -> bytes:
        """:meth:`exchange`, for pywinrm."""
        return self.exchange(message.encode() if isinstance(message, str) else message)

    def close(self) -> None:
        """Close the connection; the next message makes another."""
        self._sealing, self._conversed = None, False
        self._http = None
        self._line.close()

    close_session = close

    def abort(self) -> None:
        """End whatever is under way, for good; from any thread."""
        self._line.abort()

    # A message on its way.

    def _exchange(self, message: bytes) -> bytes:
        self._step = self.phase
        self.reached = False
        if self._http is not None and self._line.is_stale():
            self.close()
        if self._http is None:
            self._connect()
        if logon.is_conversation(self.connection) and not self._conversed:
            answer = self._converse(message)
        else:
            answer = self._post(message)
        if answer.status == 401:
            if self._sealing is not None:
                raise http_failures.forgotten(self.connection, self.phase)
            answer = self._again(answer, message)
        return self._understand(answer)

    def _again(self, answer: _Response, message: bytes) -> _Response:
        """A 401: nothing was done, and there may be another way to say it."""
        if logon.is_conversation(self.connection):
            if not self._conversed:
                return answer
            # Some services log on each request, not the connection.
            self._conversed = False
            return self._converse(message)
        if self._encoding == "utf-8" and logon.has_other_spelling(
            self.connection, self._secret
        ):
            self._encoding = "latin-1"
            return self._post(message)
        return answer

    def _understand(self, answer: _Response) -> bytes:
        body = answer.body
        if answer.status in _REDIRECTIONS:
            raise self._redirection(answer.location)
        if self._sealing is not None and body and answer.status in (200, 500):
            if not answer.type.startswith(_SEALED):
                if answer.status == 200:
                    raise http_failures.nonsense(
                        self.connection, "an answer that is not encrypted", self.phase
                    )
                body = b""  # anybody could have said it
            else:
                body = self._sealing.open(answer, self.phase)
        if answer.status == 200:
            if not body:
                raise http_failures.nonsense(
                    self.connection, "an empty answer", self.phase
                )
            return body
        fault = wsman_faults.read(body) if body and answer.status != 401 else None
        if fault is not None:
            raise fault
        raise self._refusal(answer)

    def _refusal(self, answer: _Response) -> TransportError:
        if answer.status == 401:
            self._step = "logon"
            return logon.refused(self.connection, logon.offers(answer.challenges))
        opened = self.phase != "open"
        return http_failures.status(
            self.connection, answer.status, self._step, opened=opened
        )

    def _shown_the_door(self, failure: DroppedError) -> TransportError:
        """A host that hangs up at once may not like the certificate that it saw."""
        if self.connection.certificate_pem and self._step == "open":
            return logon.refused(self.connection, ())
        return failure

    def _redirection(self, location: str) -> Exception:
        to = urljoin(self.endpoint, location)
        shown = "".join(c if c.isprintable() else " " for c in to[:200])
        parts = urlsplit(to)
        if not location or self.phase != "open":
            why = "in the middle of it"
        elif not self.connection.allow_redirection:
            why = "which is not followed unless you allow it"
        elif parts.scheme != "https" or not parts.hostname:
            why = "which is not an https address"
        elif parts.username is not None:
            why = "with a user name in the address"
        else:
            return RedirectedError(
                replace(
                    self.connection,
                    connection_uri=to,
                    host=parts.hostname,
                    port=parts.port or 443,
                    use_ssl=True,
                    application_name=parts.path.lstrip("/"),
                )
            )
        return http_failures.redirected(self.connection, shown, why)

    # Logging on.

    def _converse(self, message: bytes) -> _Response:
        """Log the connection on, and send the message: with it, or sealed after it."""
        self._step = "logon"
        sealed = logon.seals(self.connection)
        answer = self._post(b"")
        if answer.status != 401:
            if answer.status in (200, 400, 411) and not sealed:
                return self._post(message)  # nobody asks who we are
            return answer
        conversation = logon.begin(
            self.connection,
            self._secret,
            logon.offers(answer.challenges),
            self._line.certificate(),
        )
        scheme = conversation.scheme
        said = logon.step(conversation, None, self.connection)
        for _ in range(_MAX_STEPS):
            token = base64.b64encode(said).decode()
            answer = self._post(b"" if sealed else message, f"{scheme} {token}")
            heard = logon.offers(answer.challenges).get(scheme.lower(), b"")
            if not heard:
                break
            said = b""
            if not conversation.context.complete:
                said = logon.step(conversation, heard, self.connection)
            if not said:
                break
        if answer.status == 401:
            return answer
        self._conversed = True
        if not sealed:
            self._step = self.phase
            return answer
        if answer.status != 200:
            return answer
        if not conversation.context.complete:
            raise http_failures.nonsense(
                self.connection, "a logon without proof of who the host is", "logon"
            )
        self._sealing = _Sealing(conversation, self.connection)
        self._step = self.phase
        return self._post(message)

    # HTTP.

    def _post(self, message: bytes, authorization: str = "") -> _Response:
        if self._http is None or self._http.sock is None:
            self._connect()
        assert self._http is not None
        type = _PLAIN
        if self._sealing is not None and message:
            type, message = self._sealing.seal(message)
        headers = {
            "Host": self._endpoint.netloc,
            "User-Agent": f"psexport/{__version__}",
            "Content-Type": type,
            "Content-Length": str(len(message)),
            "Connection": "Keep-Alive",
        }
        authorization = authorization or logon.header(
            self.connection, self._secret, self._encoding
        )
        if authorization:
            headers["Authorization"] = authorization
        self._line.patience()
        self.reached |= bool(message)
        self._http.request("POST", self._target(), message, headers)
        response = self._http.getresponse()
        self._unheard = False
        if response.status == 401:
            self.reached = False
        try:
            return _Response(
                status=response.status,
                type=response.getheader("Content-Type", "").lower(),
                location=response.getheader("Location", ""),
                challenges=response.headers.get_all("WWW-Authenticate", []),
                boundary=_boundary(response.getheader("Content-Type", "")),
                body=self._body(response),
            )
        finally:
            response.close()

    def _body(self, response: http.client.HTTPResponse) -> bytes:
        pieces: list[bytes] = []
        size = 0
        while True:
            self._line.patience()
            piece = response.read1(_READ)
            if not piece:
                break
            size += len(piece)
            if size > MAX_ANSWER:
                raise http_failures.too_large(self.connection, MAX_ANSWER, self._step)
            pieces.append(piece)
        if response.length:
            raise http.client.IncompleteRead(b"", response.length)
        return b"".join(pieces)

    def _target(self) -> str:
        """What the request line says: through a proxy the whole address."""
        if self.connection.proxy_uri and not self.connection.use_ssl:
            return self.endpoint
        parts = self._endpoint
        return f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"

    def _connect(self) -> None:
        self.close()
        self._step = "connect"
        self._unheard = True
        made = self._line.open()
        host = self.connection.host.partition("%")[0]
        self._http = http.client.HTTPConnection(host, self.connection.port)
        # A connection that is lost is lost with its logon.
        self._http.auto_open = 0
        self._http.sock = made
        self._step = self.phase


class _Response(NamedTuple):
    status: int
    type: str
    location: str
    challenges: list[str]
    boundary: str
    body: bytes


class _Sealing:
    """The encryption that a logon agreed on; pypsrp knows its envelopes."""

    def __init__(
        self, conversation: logon.Conversation, connection: Connection
    ) -> None:
        from pypsrp.encryption import WinRMEncryption

        protocol = {
            "CredSSP": WinRMEncryption.CREDSSP,
            "Kerberos": WinRMEncryption.KERBEROS,
        }.get(conversation.scheme, WinRMEncryption.SPNEGO)
        self._seal = WinRMEncryption(conversation.context, protocol)
        self._connection = connection

    def seal(self, message: bytes) -> tuple[str, bytes]:
        """Content type and body of a message."""
        type, body = self._seal.wrap_message(message)
        return (
            f'{type};protocol="{self._seal.protocol}";boundary="Encrypted Boundary"',
            body,
        )

    def open(self, answer: _Response, phase: str) -> bytes:
        """What is inside an answer.

        :raises TransportError: it is not what the host sealed.
        """
        try:
            opened: bytes = self._seal.unwrap_message(answer.body, answer.boundary)
        except Exception as error:  # struct, index, gssapi, spnego: all mean no
            failure = http_failures.nonsense(
                self._connection,
                f"an answer that cannot be decrypted ({type(error).__name__})",
                phase,
            )
        else:
            return opened
        raise failure


def _address(connection: Connection) -> str:
    """The service's URL."""
    if connection.connection_uri:
        return connection.connection_uri
    scheme = "https" if connection.use_ssl else "http"
    host = connection.host.partition("%")[0]
    if ":" in host:
        host = f"[{host}]"
    else:
        with contextlib.suppress(UnicodeError):  # then it has no address either
            host = host.encode("idna").decode()
    return f"{scheme}://{host}:{connection.port}/{quote(connection.application_name)}"


def _boundary(type: str) -> str:
    match = _BOUNDARY.search(type)
    return match[1] if match else ""


__all__ = [
    "MAX_ANSWER",
    "MAX_REDIRECTIONS",
    "RedirectedError",
    "Wire",
]

"""PowerShell over WinRM's remote shell, where the PowerShell endpoint itself is off.

Theory of operation. The host's ``cmd`` starts a PowerShell for each question, with
``winrs.ps1`` on its command line. That reads the question from standard input, in the
words that PSRP has for it, so that no line is too long and nothing needs quoting; and
it writes one line a record, of ASCII alone, so that no code page can spoil it, and
numbered, so that none is lost unseen.

What one question imports the next does not find: each has a process of its own. And it
takes an account that may use .NET there: full language only.
"""

from __future__ import annotations

import base64
import contextlib
import math
import re
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, TypeVar

from .. import clixml
from ..connection import Connection
from ..errors import PSExportError, RemoteError, TransportError
from ..secret import Secret
from . import http_failures, logon, messages, wsman_faults
from .base import (
    Answer,
    Greeting,
    Limits,
    MetadataQuery,
    PipelineState,
    Question,
    Record,
    Session,
    Stream,
)
from .hosted import HostedShell
from .live import LiveAnswer, closed, unheard
from .recovery import again
from .task import Task, left
from .wire import RedirectedError, Wire
from .wires import Wires
from .wsman_faults import Fault

if TYPE_CHECKING:
    from winrm.protocol import Protocol

_Result = TypeVar("_Result")

_UTF8 = 65001
#: Bytes of input in one request: it fits into the least envelope of Windows.
_PIECE = 16 * 1024
#: Seconds that a host may keep a Receive waiting.
_POLL = 20
_GRACE = 10.0
#: The longest line taken; CLIXML's own limit, in base64.
_MAX_LINE = 4 * clixml.MAX_BYTES // 3 + 100
_KEPT = 8 * 1024
_OBJECTS = (
    b'<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">',
    b"</Objs>",
)
_STREAMS = {
    "Output": Stream.OUTPUT,
    "ErrorRecord": Stream.ERROR,
    "WarningRecord": Stream.WARNING,
    "VerboseRecord": Stream.VERBOSE,
    "DebugRecord": Stream.DEBUG,
    "InformationRecord": Stream.INFORMATION,
}
_STATES = {"Completed": PipelineState.COMPLETED, "Failed": PipelineState.FAILED}
#: A line that the script writes; PowerShell itself writes others.
_LINE = re.compile(rb"([A-Z][A-Za-z]*) ([0-9]{1,10}) ([A-Za-z0-9+/=]*)")
_WORDS = re.compile(rb'<S S="[Ee]rror">([^<]*)</S>')


def connect(connection: Connection, *, limits: Limits, secret: Secret) -> Session:
    """Log on and open a remote shell.

    :param secret: the password; asked for when it is needed.
    :raises TransportError: the shell cannot be opened; nothing is left on the host.
    :raises UsageError: it must not be opened like that, or the password is missing.
    """
    logon.check(connection)
    return WinrsSession(connection, limits=limits, secret=secret)


class WinrsSession(Session):
    """A remote shell, in which each question starts a PowerShell.

    :raises TransportError: it cannot be opened.
    """

    def __init__(
        self, connection: Connection, *, limits: Limits, secret: Secret
    ) -> None:
        self.name = connection.name
        self.limits = limits
        self.wires = Wires(connection, secret)
        self._hosted = HostedShell(self.wires, str(uuid.uuid4()).upper())
        self._closed = False
        self._answers: set[_Answer] = set()
        try:
            self._hosted.create(self._create, limits.open)
        except BaseException:
            self.close()
            raise
        self.wires.phase = "run"
        self.greeting = Greeting(warnings=logon.warnings(self.wires.connection))

    @property
    def shell(self) -> str:
        """The shell's id."""
        return self._hosted.id

    def ask(self, question: Question) -> Answer:
        """Put a question to the host; see :meth:`Session.ask`."""
        if isinstance(question, MetadataQuery):
            raise RemoteError(
                "a remote shell has no command metadata to ask for",
                id="ErrorRequiredRemoteCommandNotFound",
                target="Get-Command",
                hint=f"use winrm://{self.name} if the PowerShell endpoint is on",
            )
        if self._closed:
            raise closed(self.name)
        _, message = messages.compose(question)
        answer = _Answer(self)
        self._answers.add(answer)
        try:
            answer.begin(messages.serialized(message))
        except BaseException:
            answer.stop()
            raise
        return answer

    def close(self) -> None:
        """End the shell on the host, and all connections to it."""
        if self._closed:
            return
        self._closed = True
        self.wires.phase = "close"
        for answer in tuple(self._answers):
            answer.abandon()
        try:
            self._hosted.remove(self._delete, self.limits.close)
        finally:
            self.wires.end()

    # What the answers call.

    def run(self, work: Callable[[Protocol], _Result], seconds: float) -> _Result:
        """Do something with the shell, over a wire of its own, in bounded time."""
        return self._hosted.run(lambda wire: self._speak(wire, work, seconds), seconds)

    def attempt(
        self, wire: Wire, work: Callable[[Protocol], _Result], seconds: float
    ) -> _Result:
        """Do something with the shell, in the wire's thread.

        :raises TransportError: also for what the host faults, or says without sense.
        """
        try:
            return self._speak(wire, work, seconds)
        except Fault as fault:
            refusal = fault
        raise self._hosted.explained(refusal)

    def _create(self, wire: Wire) -> str:
        def create(protocol: Protocol) -> str:
            protocol.transport = _Naming(wire, self.shell)  # type: ignore[assignment]
            return protocol.open_shell(codepage=_UTF8)

        return self._speak(wire, create, self.limits.open)

    def _delete(self, wire: Wire, seconds: float) -> None:
        def delete(protocol: Protocol) -> None:
            protocol.close_shell(self.shell, close_session=False)

        self._speak(wire, delete, seconds)

    def _speak(
        self, wire: Wire, work: Callable[[Protocol], _Result], seconds: float
    ) -> _Result:
        try:
            return work(_protocol(wire, seconds))
        except (PSExportError, Fault, RedirectedError):
            raise
        except Exception as error:  # whatever pywinrm stumbles over in an answer
            failure = http_failures.nonsense(
                self.wires.connection,
                f"an answer that is not one ({error!r:.200})",
                self.wires.phase,
            )
        raise failure

    def forget(self, answer: _Answer, command: str) -> None:
        """Have the host forget a command, which ends it if it runs."""
        self._answers.discard(answer)
        if command and not self._closed:
            with contextlib.suppress(TransportError):
                self.run(
                    lambda protocol: protocol.cleanup_command(self.shell, command),
                    self.limits.close,
                )


class _Answer(LiveAnswer):
    """What one PowerShell process writes."""

    def __init__(self, session: WinrsSession) -> None:
        self._session = session
        self._wire: Wire | None = None
        self._command = ""
        self._records: deque[Record] = deque()
        self._reader = _Reader()
        self._stopped = self._ended = False

    def begin(self, message: bytes) -> None:
        """Start PowerShell, and send the question to it."""
        session, silence = self._session, self._session.limits.silence
        self._command = session.run(
            lambda protocol: protocol.run_command(
                session.shell, "powershell", _arguments(), console_mode_stdin=False
            ),
            silence,
        )
        text = base64.b64encode(message.join(_OBJECTS))
        pieces = [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)]

        def send(protocol: Protocol) -> None:
            for piece in pieces:
                protocol.send_command_input(
                    session.shell, self._command, piece, end=piece is pieces[-1]
                )

        session.run(send, silence)
        self._wire = session.wires.take()
        self._task = self._receive(self._wire)

    def stop(self) -> None:
        self._told = self._stopped = True
        if not self._ended:
            self._end(healthy=False)

    def abandon(self) -> None:
        """Wait for nothing more."""
        self._stopped = True
        if self._wire is not None:
            self._wire.abort()

    def _end(self, *, healthy: bool) -> None:
        self._ended = True
        wire, self._wire = self._wire, None
        if wire is not None and healthy:
            self._session.wires.give(wire, healthy=True)
        self._session.forget(self, self._command)
        if wire is not None and not healthy:
            self._session.wires.give(wire, healthy=False)

    def stopped(self) -> bool:
        """Whether somebody, perhaps in another thread, wants no more of it."""
        return self._stopped

    def next_record(self) -> Record:
        session = self._session
        deadline = time.monotonic() + session.limits.silence
        while not self._records:
            if self.stopped():
                return Record(Stream.STATE, b"", PipelineState.STOPPED)
            try:
                said = self._task.result(left(deadline))
            except TransportError as error:
                if self.stopped():
                    continue
                if error.id == "ErrorSessionTimeout":
                    raise unheard(
                        self._session.name, self._session.limits.silence
                    ) from None
                raise
            out, errors, code, done = said
            self._records.extend(self._reader.feed(out, errors))
            if not done and self._wire is not None:
                self._task = self._receive(self._wire)
            elif self._reader.state is None:
                raise self._failed(code)
            else:
                self._end(healthy=True)
                self._records.append(self._reader.state)
        return self._records.popleft()

    def _receive(self, wire: Wire) -> Task[tuple[bytes, bytes, int, bool]]:
        session = self._session

        def receive(protocol: Protocol) -> tuple[bytes, bytes, int, bool]:
            try:
                return protocol.get_command_output_raw(session.shell, self._command)
            except Fault as fault:
                if fault.code == wsman_faults.TIMED_OUT:
                    return b"", b"", -1, False
                raise

        def work() -> tuple[bytes, bytes, int, bool]:
            # What is lost by this is seen by the numbers of the lines.
            said, _ = again(lambda: session.attempt(wire, receive, _POLL), self.stopped)
            return said

        return Task(wire, work)

    def _failed(self, code: int) -> TransportError:
        said = self._reader.words()
        return TransportError(
            f"PowerShell on {self._session.name} did not run the script "
            f"(exit code {code})" + (f", saying: {said}" if said else ""),
            id="ErrorSessionBroken",
            phase="run",
            target=self._session.name,
            hint="winrs:// needs PowerShell 3 or later in full language mode there; "
            "try 'winrs -r:HOST powershell $PSVersionTable'",
        )


class _Reader:
    """PowerShell's standard output and error to records.

    :ivar state: the last word, once it has come.
    """

    def __init__(self) -> None:
        self.state: Record | None = None
        self._rest = bytearray()
        self._count = 0
        self._other = b""
        self._errors = b""

    def feed(self, out: bytes, errors: bytes) -> Iterator[Record]:
        """Yield the records that what came completes."""
        self._errors = (self._errors + errors)[-_KEPT:]
        self._rest += out
        lines: list[bytearray] = []
        if b"\n" in out:
            *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            record = self._record(line.rstrip(b"\r"))
            if record is not None:
                yield record
        if len(self._rest) > _MAX_LINE:
            raise TransportError(
                "the host sent a record of more than "
                f"{clixml.MAX_BYTES:,} bytes, or none at all",
                id="ErrorMessageTooLarge",
                phase="run",
                hint="ask for fewer commands or types at a time",
            )

    def words(self) -> str:
        """What PowerShell or ``cmd`` said of its troubles."""
        found = b" ".join(_WORDS.findall(self._errors + self._other))
        text = clixml.unescape(
            (found or self._errors or self._other).decode("utf-8", "replace")
        )
        plain = "".join(c if c.isprintable() else " " for c in text)
        return " ".join(plain.split())[-500:]

    def _record(self, line: bytearray) -> Record | None:
        match = _LINE.fullmatch(line)
        kind = match[1].decode() if match else ""
        if match is None or (kind not in _STREAMS and kind not in _STATES):
            self._other = (self._other + line + b"\n")[-_KEPT:]
            return None
        self._count += 1
        if int(match[2]) != self._count:
            raise TransportError(
                "part of what the host said is lost with a connection that broke",
                id="ErrorSessionBroken",
                phase="run",
                hint="open a new session and try again",
            )
        try:
            data = _without_envelope(base64.b64decode(match[3]))
        except ValueError:
            return None
        if kind in _STREAMS:
            return Record(_STREAMS[kind], data)
        failed = _STATES[kind] is PipelineState.FAILED
        self.state = Record(Stream.STATE, data if failed else b"", _STATES[kind])
        return None


def _without_envelope(data: bytes) -> bytes:
    """The object inside of ``<Objs>``, with the namespace that its like has not."""
    begin, end = data.find(b">") + 1, data.rfind(b"</Objs>")
    return data[begin:end].strip() if end > 0 else data


def _protocol(wire: Wire, seconds: float) -> Protocol:
    """pywinrm's knowledge of remote shells, over our wire."""
    from winrm.protocol import Protocol

    whole = max(1, min(_POLL, math.ceil(seconds)))
    # Kerberos needs no name here, and this transport is replaced by ours at once.
    made = Protocol(
        wire.endpoint,
        transport="kerberos",
        operation_timeout_sec=whole,
        read_timeout_sec=whole + 1,
    )
    made.transport = wire  # type: ignore[assignment]
    wire.seconds = max(seconds, whole + _GRACE)
    return made


class _Naming:
    """A transport for pywinrm, which gives the shell that is made an id from here."""

    def __init__(self, wire: Wire, shell: str) -> None:
        self._wire = wire
        self._shell = shell

    def send_message(self, message: str) -> bytes:
        named = f'<rsp:Shell ShellId="{self._shell}">'
        return self._wire.send_message(message.replace("<rsp:Shell>", named))


@cache
def _arguments() -> tuple[str, ...]:
    source = resources.files(__package__).joinpath("winrs.ps1").read_text("utf-8")
    code = "\n".join(
        line.strip() for line in source.splitlines() if not line.startswith("#")
    )
    return (
        "-NoLogo",
        "-NoProfile",
        "-NonInteractive",
        "-OutputFormat",
        "XML",
        "-EncodedCommand",
        base64.b64encode(code.encode("utf-16-le")).decode(),
    )


__all__ = ["WinrsSession", "connect"]

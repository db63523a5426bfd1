"""PowerShell over WSMan: how Windows is reached.

Theory of operation. A session is a shell on the host, made with Create, ended with
Delete. A question is a command in it; its answer is fetched with one Receive after
another, each a long poll: the host answers when it has something, or after a while that
it has not. While one batch of records is read, the next Receive is already under way.

Each request under way needs a connection, a :class:`~.wire.Wire`, of its own, and
logging on to one takes a while. So they are kept: a question that is over leaves its
wire to the next, and what is asked one after another needs just one.

Connections break. A Receive is then tried again over a new one, as long as it is
certain that nothing was lost; a Command never is, for it may be running.
"""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from ..connection import Connection
from ..errors import TransportError
from ..secret import Secret
from . import logon, psrp
from .base import (
    Answer,
    Greeting,
    Limits,
    PipelineState,
    Question,
    Record,
    Session,
    Stream,
)
from .continuity import Continuity
from .hosted import HostedShell
from .live import LiveAnswer, closed, unheard
from .psrp import Outgoing
from .recovery import again
from .sender import FRAGMENT, Sender
from .task import Task, left, patiently
from .wire import RedirectedError, Wire
from .wires import Wires
from .wsman_faults import Fault
from .wsman_shell import DEFAULT_CONFIGURATION, RESOURCE, Address, Received, Shell

_Result = TypeVar("_Result")

#: How many pipelines run at the same time; a host's least quota is five.
RUNSPACES = 3
#: Seconds that a host may keep a Receive waiting.
POLL = 20.0


def connect(connection: Connection, *, limits: Limits, secret: Secret) -> Session:
    """Log on and open a session.

    :param secret: the password; asked for when it is needed.
    :raises TransportError: the session cannot be opened; nothing is left on the host.
    :raises UsageError: it must not be opened like that, or the password is missing.
    """
    logon.check(connection)
    return WsmanSession(connection, limits=limits, secret=secret)


class WsmanSession(Session):
    """A session over WSMan.

    :raises TransportError: it cannot be opened.
    """

    def __init__(
        self, connection: Connection, *, limits: Limits, secret: Secret
    ) -> None:
        self.name = connection.name
        self._limits = limits
        self._wires = Wires(connection, secret)
        self._client = psrp.Client(runspaces=RUNSPACES, fragment_size=FRAGMENT)
        configuration = connection.configuration_name or DEFAULT_CONFIGURATION
        self._resource = (
            configuration
            if configuration.startswith(RESOURCE)
            else RESOURCE + configuration
        )
        self._id = str(uuid.uuid4())
        self._hosted = HostedShell(self._wires, str(self._client.runspace_id).upper())
        #: Guards the client and all below; notified when an answer is over.
        self._changed = threading.Condition(threading.RLock())
        self._answers: dict[uuid.UUID, _Answer] = {}
        self._sender = Sender(limits.silence)
        #: Held while a question is put: one after another.
        self._asking = threading.Lock()
        self._opened: psrp.Opened | None = None
        self._failure: TransportError | None = None
        self._closed = False
        self._continuity = Continuity()
        try:
            self.greeting = self._open()
        except BaseException:
            self.close()
            raise
        self._wires.phase = "run"

    def ask(self, question: Question) -> Answer:
        """Put a question to the host; see :meth:`Session.ask`."""
        with self._asking:
            with self._changed:
                self._check()
                pipeline = self._client.ask(question)
                answer = _Answer(self, pipeline)
                self._answers[pipeline] = answer
                self._sender.announce(pipeline)
                pieces = deque(self._client.outgoing())
            try:
                self._send_when_there_is_room(pieces)
                with self._changed:
                    if not answer.unwanted:
                        answer.wire = self._wires.take()
                    self._receive_more(answer)
            except BaseException:
                self.stop_answer(answer)
                raise
        return answer

    def close(self) -> None:
        """End the shell on the host, and all connections to it."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._wires.phase = "close"
            for answer in self._answers.values():
                answer.unwanted = True
                if answer.wire is not None:
                    answer.wire.abort()
            self._changed.notify_all()
        try:
            self._hosted.remove(
                lambda wire, seconds: self._over(wire).delete(seconds),
                self._limits.close,
            )
        finally:
            self._wires.end()

    # Opening and ending.

    def _open(self) -> Greeting:
        deadline = time.monotonic() + self._limits.open
        self._client.open()
        fragments = b"".join(piece.data for piece in self._client.outgoing())
        self._hosted.create(
            lambda wire: self._over(wire).create(fragments, self._limits.open),
            self._limits.open,
        )
        while self._opened is None:
            heard = self._run(
                lambda shell: self._poll(shell, None, lambda: left(deadline) == 0),
                left(deadline),
            )
            with self._changed:
                self._take_in(None, heard)
                self._check()
                pieces = deque(self._client.outgoing())
            self._send(pieces, left(deadline))
        return Greeting(
            str(self._client.runspace_id),
            self._opened.private_data,
            RUNSPACES,
            warnings=logon.warnings(self._wires.connection),
        )

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._closed:
            raise closed(self.name)

    def _error(self, what: str, id: str = "ErrorSessionBroken") -> TransportError:
        return TransportError(
            f"{self.name} {what}",
            id=id,
            phase=self._wires.phase,
            target=self.name,
            hint="open a new session and try again",
        )

    def _over(self, wire: Wire) -> Shell:
        """The shell, over a wire."""
        return Shell(wire, Address(self._resource, self._hosted.id, self._id))

    def _run(self, work: Callable[[Shell], _Result], seconds: float) -> _Result:
        """Do something with the shell, over a wire of its own, in bounded time."""
        return self._hosted.run(lambda wire: work(self._over(wire)), seconds)

    # Sending.

    def _send_when_there_is_room(self, pieces: deque[Outgoing]) -> None:
        """Send a question, if need be when another one is over."""
        deadline = time.monotonic() + self._limits.silence
        while True:
            with self._changed:
                others = {key for key, one in self._answers.items() if one.wire}
            try:
                self._send(pieces, self._limits.silence)
            except TransportError as error:
                # Refused before it began, so it may come again.
                if error.id != "ErrorHostQuota" or not self._one_ends(others, deadline):
                    raise
            else:
                return

    def _one_ends(self, others: set[uuid.UUID], deadline: float) -> bool:
        """Wait until one of them is over; false if there is none."""
        with self._changed:
            return bool(others) and self._changed.wait_for(
                lambda: self._closed or bool(others - set(self._answers)),
                left(deadline),
            )

    def _send(self, pieces: deque[Outgoing], seconds: float) -> None:
        if pieces:
            self._run(lambda shell: self._sender.send(shell, pieces), seconds)

    # Receiving: what the answers call.

    def next_record(self, answer: _Answer) -> Record:
        """The next record of an answer, waiting for it."""
        deadline = time.monotonic() + self._limits.silence
        while not answer.records:
            try:
                heard = self._received(answer, deadline)
            except BaseException:
                if answer.unwanted and not self._closed:
                    return Record(Stream.STATE, b"", PipelineState.STOPPED)
                self._check()
                raise
            with self._changed:
                self._check()
                self._take_in(answer, heard)
                pieces = deque(self._client.outgoing())
            self._send(pieces, self._limits.silence)
            if answer.ended:
                self._finish(answer)
                continue
            if answer.unwanted:
                return Record(Stream.STATE, b"", PipelineState.STOPPED)
            if heard.received.done:
                raise self._error("ended a pipeline without a last word")
            with self._changed:
                self._receive_more(answer)
        return answer.records.popleft()

    def stop_answer(self, answer: _Answer) -> None:
        """Stop an answer's pipeline, and drop what is left of it."""
        with self._changed:
            answer.records.clear()
            known = self._answers.pop(answer.pipeline, None) is not None
            answer.unwanted = True
            self._client.forget(answer.pipeline)
            wire, answer.wire = answer.wire, None
            begun = self._sender.forget(answer.pipeline)
        if not known:
            return
        if begun and not self._closed and self._failure is None:
            pipeline = str(answer.pipeline).upper()
            with contextlib.suppress(TransportError, RedirectedError):
                self._run(
                    lambda shell: self._interrupt(shell, pipeline), self._limits.close
                )
        if wire is not None:
            self._wires.give(wire, healthy=False)
        with self._changed:
            self._changed.notify_all()

    def _interrupt(self, shell: Shell, pipeline: str) -> None:
        with contextlib.suppress(Fault):
            shell.interrupt(pipeline, self._limits.close)
        shell.terminate(pipeline, self._limits.close)

    def _received(self, answer: _Answer, deadline: float) -> _Heard:
        task = answer.task
        if task is None:  # another thread stopped it
            raise self._error("was told to stop")
        try:
            return task.result(left(deadline))
        except Fault as fault:
            raise self._hosted.explained(fault) from None
        except TransportError as error:
            if error.id == "ErrorSessionTimeout" and time.monotonic() >= deadline:
                raise unheard(self.name, self._limits.silence) from None
            raise

    def _receive_more(self, answer: _Answer) -> None:
        wire = answer.wire
        if wire is not None:
            shell = self._over(wire)
            answer.task = Task(
                wire,
                lambda: self._poll(shell, answer.pipeline, lambda: answer.unwanted),
            )

    def _finish(self, answer: _Answer) -> None:
        """The pipeline is over: let the host forget it, and keep the wire."""
        pipeline = str(answer.pipeline).upper()
        wire, answer.wire = answer.wire, None
        healthy = False
        if wire is not None:
            try:
                shell = self._over(wire)
                with contextlib.suppress(Fault):
                    patiently(
                        wire,
                        lambda: shell.terminate(pipeline, self._limits.close),
                        self._limits.close,
                    )
                healthy = True
            except TransportError:
                pass
            finally:
                self._wires.give(wire, healthy=healthy)
        with self._changed:
            self._answers.pop(answer.pipeline, None)
            self._changed.notify_all()

    # Receiving: what runs in the wire's thread.

    def _poll(
        self, shell: Shell, pipeline: uuid.UUID | None, unwanted: Callable[[], bool]
    ) -> _Heard:
        """One Receive, over as many connections as it takes."""
        target = None if pipeline is None else str(pipeline).upper()
        poll = min(POLL, self._limits.silence)
        received, cut = again(lambda: shell.receive(target, poll), unwanted)
        if target and not received.data and not received.done:
            self._look_after_pool(shell)
        return _Heard(received, cut)

    def _look_after_pool(self, shell: Shell) -> None:
        """Hear what the pool says: a pipeline may wait for an answer to that."""
        received = shell.receive(None, 0)
        if received.data:
            with self._changed:
                self._take_in(None, _Heard(received, False))
                pieces = deque(self._client.outgoing())
            self._sender.send(shell, pieces)

    # Receiving: what is done with it, with the lock.

    def _take_in(self, answer: _Answer | None, heard: _Heard) -> None:
        """Take what the host said, if it is certain that nothing is missing.

        What it said to a connection that broke would be; where another answer is
        open, nobody can tell.
        """
        data = heard.received.data
        if answer is not None and heard.cut:
            answer.cut = True
        if not data:
            return
        if answer is not None and answer.cut:
            answer.cut = False
            if len(self._answers) > 1 or not self._continuity.follows(data):
                raise self._error(
                    "was cut off, and part of what it said may be lost with the "
                    "connection"
                )
        self._continuity.heard(data)
        target = None if answer is None else answer.pipeline
        try:
            for event in self._client.receive(target, data):
                self._happened(event)
        except TransportError as error:
            error.target = error.target or self.name
            error.phase = self._wires.phase
            raise

    def _happened(self, event: psrp.Event) -> None:
        if isinstance(event, psrp.Opened):
            self._opened = event
        elif isinstance(event, psrp.Ended):
            reason = f", saying: {event.reason}" if event.reason else ""
            self._failure = self._error(
                f"closed the session{reason}",
                "ErrorSessionOpen" if self._opened is None else "ErrorSessionBroken",
            )
        else:
            answer = self._answers.get(event.pipeline)
            if answer is not None and not answer.unwanted:
                answer.records.append(event.record)
                answer.ended |= event.record.stream is Stream.STATE


class _Heard(NamedTuple):
    """What came, and whether a connection broke on the way."""

    received: Received
    cut: bool


class _Answer(LiveAnswer):
    """The records of one pipeline."""

    def __init__(self, session: WsmanSession, pipeline: uuid.UUID) -> None:
        self._session = session
        self.pipeline = pipeline
        self.records: deque[Record] = deque()
        self.wire: Wire | None = None
        self.task: Task[_Heard] | None = None
        #: The host has said the last of it.
        self.ended = False
        #: What still comes is dropped.
        self.unwanted = False
        #: A connection broke since something came.
        self.cut = False

    def next_record(self) -> Record:
        return self._session.next_record(self)

    def stop(self) -> None:
        self._told = True
        self._session.stop_answer(self)


__all__ = ["POLL", "RUNSPACES", "WsmanSession", "connect"]

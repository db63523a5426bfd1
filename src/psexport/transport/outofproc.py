"""PSRP over a pair of pipes: how PowerShell talks over ssh and to its own processes.

Theory of operation. Each line is one packet, an XML element: ``Data`` with base64
fragments, ``Command`` (create a pipeline), ``Signal`` (stop it), ``Close``, and an
acknowledgement of each. The all-zero id is the runspace pool, any other a pipeline.

One thread reads all that the host says and hands it out to the answers it is for. It
stops reading when :data:`BUFFER` bytes wait to be fetched, so that a host cannot fill
the memory; but it reads on while somebody waits for a record, because that record may
be behind those that wait. An answer that nobody fetches while :data:`OVERRUN` bytes
gather for it is given up.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from ..errors import TransportError
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
from .fragments import violation
from .live import LiveAnswer, closed, unheard
from .outbox import Outbox
from .packets import Packet, parse, start
from .process import Process, printable

if TYPE_CHECKING:
    from . import psrp

#: Bytes of records that may wait before the host is left to wait.
BUFFER = 16 * 1024 * 1024
#: Bytes of records that may wait while another answer is being waited for.
OVERRUN = 256 * 1024 * 1024
#: The longest line taken; PowerShell's own are 44 KiB.
MAX_LINE = 16 * 1024 * 1024
#: How much a login may print before the first packet.
MAX_BANNER = 1024 * 1024

#: What a PowerShell host writes to standard error when it cannot go on, and then it
#: hangs: PowerShell 7 is not translated, and older ones have no such endpoint.
_FATAL = "Remote transport error"
#: Seconds that the rest of such a message has to arrive.
_REST = 0.2

#: Seconds between looks at the clock; a wait without end cannot be interrupted on
#: Windows.
_TICK = 0.5


#: Turns how a process failed (exit code if it ended, its last words) into an error.
Explain = Callable[[int | None, str], TransportError | None]


class OutOfProcessSession(Session):
    """A session with a process that speaks the out-of-process protocol.

    :param command: program and arguments.
    :param name: the host's name for messages.
    :param limits: how long to wait.
    :param runspaces: how many pipelines to run at the same time.
    :param terminal: whether the program needs the terminal, to ask a person.
    :param environment: variables that the program gets unless they are set here.
    :param explain: knows the program's own ways to fail.
    :raises TransportError: the session cannot be opened; nothing is left running.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        name: str,
        limits: Limits,
        runspaces: int = 1,
        terminal: bool = False,
        environment: Mapping[str, str] = MappingProxyType({}),
        explain: Explain | None = None,
    ) -> None:
        self.name = name
        self._limits = limits
        self._explain = explain
        #: Guards everything below; notified when any of it changes.
        self._changed = threading.Condition()
        self._answers: dict[uuid.UUID, _Answer] = {}
        self._opened: psrp.Opened | None = None
        self._failure: TransportError | None = None
        self.closing = False
        self._buffered = 0
        self._waiting = 0
        self._banner: list[str] = []
        self._process = Process(
            command, said=self._heard, terminal=terminal, environment=environment
        )
        # What speaks the protocol takes a while to load; meanwhile the program starts.
        from . import psrp

        self._outbox = Outbox(self._process.write)
        self._client = psrp.Client(runspaces=runspaces)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.greeting = self._open(runspaces)
        except BaseException:
            self._abandon()
            raise

    def ask(self, question: Question) -> Answer:
        """Put a question to the host; see :meth:`Session.ask`."""
        with self._changed:
            self._check()
            pipeline = self._client.ask(question)
            answer = _Answer(self, pipeline)
            self._answers[pipeline] = answer
            self._outbox.create(pipeline)
            self._flush()
        return answer

    def close(self) -> None:
        """Say goodbye, and see to it that the process is gone."""
        with self._changed:
            if self.closing:
                return
            self.closing = True
            healthy = self._failure is None
            if healthy:
                self._outbox.close(None)
            self._changed.notify_all()
        self._process.end(self._limits.close if healthy else 0)
        self._reader.join(self._limits.close)

    # What the answers call.

    def next_record(self, answer: _Answer) -> Record:
        """The next record of an answer, waiting for it."""
        with self._changed:
            arrived = self._wait(
                lambda: answer.records or answer.over or self._failure,
                self._limits.silence,
            )
            if answer.records:
                record = answer.records.popleft()
                answer.size -= len(record.data)
                self._buffered -= len(record.data)
                if record.stream is Stream.STATE:
                    self._answers.pop(answer.pipeline, None)
                self._changed.notify_all()
                return record
            if answer.failure is not None:
                raise answer.failure
            if answer.unwanted:  # another thread stopped it
                return Record(Stream.STATE, b"", PipelineState.STOPPED)
            self._check()
            assert not arrived
            raise unheard(self.name, self._limits.silence)

    def stop_answer(self, answer: _Answer) -> None:
        """Stop an answer's pipeline, and drop what is left of it."""
        with self._changed:
            answer.unwanted = True
            self._drop_records(answer)
            if answer.ended:
                self._answers.pop(answer.pipeline, None)
            if answer.ended or self.closing or self._failure is not None:
                return
            self._outbox.signal(answer.pipeline)
            self._wait(
                lambda: answer.ended or self._failure is not None, self._limits.close
            )
            if not answer.ended:
                self._finish(answer)
            self._answers.pop(answer.pipeline, None)

    # What runs in the caller's thread, with the lock.

    def _open(self, runspaces: int) -> Greeting:
        with self._changed:
            self._client.open()
            self._flush()
            self._wait(lambda: self._opened or self._failure, self._limits.open)
            self._check()
            if self._opened is None:
                words = self._process.last_words()
                raise TransportError(
                    f"{self.name} did not open a session in {self._limits.open:g} s"
                    + self._quoted(words),
                    id="ErrorSessionTimeout",
                    phase="open",
                    target=self.name,
                    hint="check that it is a PowerShell that serves remoting, or "
                    "allow more with -OpenTimeout",
                )
            return Greeting(
                str(self._client.runspace_id), self._opened.private_data, runspaces
            )

    def _wait(self, ready: Callable[[], object], seconds: float) -> bool:
        """Wait until something is so; meanwhile the reader reads whatever comes."""
        deadline = time.monotonic() + seconds
        self._waiting += 1
        self._changed.notify_all()
        try:
            while not ready():
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(min(left, _TICK))
            return True
        finally:
            self._waiting -= 1

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self.closing:
            raise closed(self.name)

    def _abandon(self) -> None:
        with self._changed:
            self.closing = True
            self._changed.notify_all()
        self._process.end(0)
        self._reader.join(1.0)

    # What runs in either thread, with the lock.

    def _flush(self) -> None:
        for piece in self._client.outgoing():
            self._outbox.data(piece)

    def _finish(self, answer: _Answer) -> None:
        """The pipeline is over, for this side at least."""
        answer.ended = True
        self._client.forget(answer.pipeline)
        self._outbox.close(answer.pipeline)

    def _drop_records(self, answer: _Answer) -> None:
        self._buffered -= answer.size
        answer.size = 0
        answer.records.clear()
        self._changed.notify_all()

    # What runs in the reading threads.

    def _read(self) -> None:
        try:
            with self._process.stdout:
                for line in self._lines():
                    packet = parse(line)
                    with self._changed:
                        while self._held_up():
                            self._changed.wait(_TICK)
                        self._take(packet)
                        self._changed.notify_all()
            failure = self._parting()
        except TransportError as error:
            failure = error
        except Exception as error:  # whatever it is, nobody may wait for ever
            failure = self._broken(f"cannot be understood: {error!r}")
            failure.__cause__ = error
        with self._changed:
            self._fail(failure)

    def _lines(self) -> Iterator[bytes]:
        """The lines with packets; what a login prints before the first is left out."""
        banner = 0
        lines = self._raw_lines()
        for line in lines:
            begin = start(line)
            if begin is not None:
                # A banner need not end its last line.
                yield line[begin:]
                break
            banner += len(line)
            if banner > MAX_BANNER:
                raise violation(f"{banner:,} bytes and no packet among them")
            self._banner = [*self._banner[-4:], printable(line[:200])]
        yield from (line for line in lines if not line.isspace())

    def _raw_lines(self) -> Iterator[bytes]:
        while line := self._process.stdout.readline(MAX_LINE):
            if len(line) == MAX_LINE:
                raise violation(f"a line of more than {MAX_LINE:,} bytes")
            yield line

    def _held_up(self) -> bool:
        return self._buffered >= BUFFER and not self._waiting and not self.closing

    def _take(self, packet: Packet) -> None:
        if packet.kind == "Data":
            for event in self._client.receive(packet.target, packet.data):
                self._happened(event)
            self._flush()
        elif packet.kind in ("DataAck", "CommandAck"):
            self._outbox.acknowledged(packet.target)
        elif packet.kind in ("CloseAck", "SignalAck"):
            pass  # The end of the pool is the end of the process.
        else:
            raise violation(f"a {packet.kind} packet from a server")

    def _happened(self, event: psrp.Event) -> None:
        from .psrp import Ended, Opened

        if isinstance(event, Opened):
            self._opened = event
        elif isinstance(event, Ended):
            if not self.closing:
                self._fail(self._broken("closed the session", event.reason))
        else:
            answer = self._answers.get(event.pipeline)
            if answer is not None:
                self._deliver(answer, event.record)

    def _deliver(self, answer: _Answer, record: Record) -> None:
        if not (answer.unwanted or self.closing):
            answer.records.append(record)
            answer.size += len(record.data)
            self._buffered += len(record.data)
        if record.stream is Stream.STATE:
            self._finish(answer)
        if self._buffered > OVERRUN:
            self._give_up(max(self._answers.values(), key=lambda one: one.size))

    def _give_up(self, answer: _Answer) -> None:
        """Drop the answer that nobody fetches, so that the others go on."""
        answer.failure = TransportError(
            f"{self.name} said {answer.size:,} bytes that nobody fetched",
            id="ErrorMessageTooLarge",
            phase="run",
            target=self.name,
            hint="ask for fewer commands or types at a time",
        )
        answer.unwanted = True
        self._drop_records(answer)
        if not answer.ended:
            self._outbox.signal(answer.pipeline)

    def _heard(self, line: str) -> None:
        """A line came on standard error."""
        if _FATAL in line:
            timer = threading.Timer(_REST, self._given_up)
            timer.daemon = True
            timer.start()

    def _given_up(self) -> None:
        words = self._process.last_words()
        with self._changed:
            self._fail(self._broken("gave up", words[words.rfind(_FATAL) :]))

    def _parting(self) -> TransportError:
        """The error for a process that closed its output, which is usually its end."""
        code = self._process.exit_code(1.0)
        words = self._process.last_words()
        if self._explain is not None and self._opened is None:
            explained = self._explain(code, words)
            if explained is not None:
                return explained
        if code is None:
            return self._broken("closed its output", words)
        if code < 0:
            return self._broken(f"was ended by signal {-code}", words)
        return self._broken(f"ended with exit code {code}", words)

    def _broken(self, how: str, words: str = "") -> TransportError:
        opened = self._opened is not None
        return TransportError(
            f"{self.name} {how}{self._quoted(words)}",
            id="ErrorSessionBroken" if opened else "ErrorSessionOpen",
            phase="run" if opened else "open",
            target=self.name,
            hint="open a new session and try again"
            if opened
            else "check that what runs there is a PowerShell that serves remoting",
        )

    def _quoted(self, words: str) -> str:
        """What the program said, for the end of a message."""
        said = words or " / ".join(line for line in self._banner if line)
        return f", saying: {' / '.join(said.splitlines())[-500:]}" if said else ""

    def _fail(self, failure: TransportError) -> None:
        if self._failure is None and not self.closing:
            failure.target = failure.target or self.name
            self._failure = failure
        self._changed.notify_all()


class _Answer(LiveAnswer):
    """The records of one pipeline; the session's lock guards its fields."""

    def __init__(self, session: OutOfProcessSession, pipeline: uuid.UUID) -> None:
        self._session = session
        self.pipeline = pipeline
        self.records: deque[Record] = deque()
        #: Bytes of them.
        self.size = 0
        self.failure: TransportError | None = None
        #: The host has said the last of it, or is not listened to any more.
        self.ended = False
        #: What still comes is dropped.
        self.unwanted = False

    @property
    def over(self) -> bool:
        """Whether no more records will come."""
        return self.unwanted or self._session.closing

    def next_record(self) -> Record:
        return self._session.next_record(self)

    def stop(self) -> None:
        self._told = True
        self._session.stop_answer(self)


__all__ = ["OutOfProcessSession"]

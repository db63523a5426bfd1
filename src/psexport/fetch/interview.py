"""Asking a host, with what every question needs: limits, messages, failures, an end.

A question's output is handed over document by document while it arrives; all else
that a host says on the way becomes events. What ends a pipeline badly is raised.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from .. import clixml
from ..clixml import HostError, MalformedError
from ..errors import RemoteError
from ..events import Answered, Asking, Event, Message, OnEvent, Problem, Severity
from ..model import Skipped
from ..transport.base import (
    Answer,
    Commands,
    MetadataQuery,
    PipelineState,
    Question,
    Session,
    Stream,
)

#: One answer is at most this long. A host of 10,000 commands says a tenth of it.
MAX_ANSWER_BYTES = 1024**3
MAX_ANSWER_RECORDS = 500_000
#: A host that says more wrong things than this says nothing worth reading.
MAX_COMPLAINTS = 10_000
#: Characters of a message that are kept.
_MAX_MESSAGE = 4_000

#: What implicit remoting needs; a host without one of them is told so by name.
REQUIRED_COMMANDS = frozenset(
    {"get-command", "get-formatdata", "select-object", "measure-object", "get-help"}
)

_SEVERITIES = {
    Stream.WARNING: Severity.WARNING,
    Stream.INFORMATION: Severity.INFORMATION,
    Stream.VERBOSE: Severity.VERBOSE,
    Stream.DEBUG: Severity.DEBUG,
}


class PipelineError(RemoteError):
    """A pipeline that the host ended with an error.

    :ivar error: what the host said.
    """

    def __init__(self, error: HostError, what: str) -> None:
        missing = _missing_command(error)
        if missing is None:
            super().__init__(
                f"the host failed on {what}: {error}",
                id="ErrorFromRemoteCommand",
                target=error.target or None,
            )
        else:
            super().__init__(
                f"the host has no command {missing}, which is needed for {what}: "
                f"{error}",
                id="ErrorRequiredRemoteCommandNotFound",
                target=missing,
                hint=f"make {missing} visible at this endpoint, or ask for less",
            )
        self.error = error


class Interview:
    """The questions to one session, one after another or several at a time.

    :param session: an open session.
    :param on_event: told everything, by one thread at a time.
    """

    def __init__(self, session: Session, on_event: OnEvent) -> None:
        self._session = session
        self._on_event = on_event
        self._lock = threading.Lock()
        self._open: set[Answer] = set()
        self._stopped = False

    def tell(self, event: Event) -> None:
        """Pass an event on."""
        with self._lock:
            self._on_event(event)

    def ask(
        self,
        question: Question,
        what: str,
        *,
        on_error: Callable[[HostError], None] | None = None,
    ) -> Generator[bytes, None, None]:
        """Put a question, and yield the documents of its output as they arrive.

        :param what: what is asked, for people: "the commands".
        :param on_error: given the errors that did not end the pipeline, instead of
            their becoming :class:`~psexport.events.Problem` events.
        :raises PipelineError: the host ended the pipeline with an error.
        :raises RemoteError: the session cannot ask that, or the answer is beyond
            the limits.
        :raises TransportError: the session broke, or was silent for too long.
        """
        self.tell(Asking(what))
        started = time.monotonic()
        count = size = said = 0
        with self._session.ask(question) as answer:
            self._opened(answer)
            try:
                for record in answer:
                    said += 1
                    size += len(record.data)
                    if said > MAX_ANSWER_RECORDS or size > MAX_ANSWER_BYTES:
                        raise _endless(what)
                    if record.stream is Stream.OUTPUT:
                        count += 1
                        yield record.data
                    elif record.stream is Stream.STATE:
                        self._ended(record.state, record.data, what)
                        self.tell(Answered(what, count, time.monotonic() - started))
                        return
                    elif record.stream is Stream.ERROR:
                        if said - count > MAX_COMPLAINTS:
                            raise _endless(what)
                        error = clixml.error(record.data)
                        if on_error is None:
                            self.tell(Problem(_skipped(error, question, what)))
                        else:
                            on_error(error)
                    elif record.stream in _SEVERITIES:
                        if said - count > MAX_COMPLAINTS:
                            raise _endless(what)
                        severity = _SEVERITIES[record.stream]
                        self.tell(Message(severity, _message(record.data)))
            finally:
                self._closed(answer)
        raise RemoteError(
            f"the host's answer about {what} has no end",
            id="ErrorMalformedDataFromRemoteCommand",
            hint="try again; if it stays, the connection or the recording is damaged",
        )

    def together(self, tasks: Sequence[Callable[[], None]], at_once: int) -> None:
        """Do tasks that ask: at the same time as far as the session allows it.

        The first exception ends the others, and is raised.

        :param at_once: how many at most.
        """
        workers = min(self._session.greeting.runspaces, at_once)
        if workers <= 1:
            for task in tasks:
                task()
            return
        with ThreadPoolExecutor(workers, thread_name_prefix="psexport") as crew:
            futures = [crew.submit(task) for task in tasks]
            try:
                done, _ = wait(futures, return_when=FIRST_EXCEPTION)
                for future in done:
                    future.result()
            except BaseException:
                for future in futures:
                    future.cancel()
                self.stop()
                raise

    def _opened(self, answer: Answer) -> None:
        with self._lock:
            self._open.add(answer)
            stopped = self._stopped
        if stopped:
            answer.stop()

    def _closed(self, answer: Answer) -> None:
        with self._lock:
            self._open.discard(answer)

    def stop(self) -> None:
        """End all that is being asked, and all that will be."""
        with self._lock:
            self._stopped = True
            answers = list(self._open)
        for answer in answers:
            answer.stop()

    @staticmethod
    def _ended(state: PipelineState | None, data: bytes, what: str) -> None:
        if state is PipelineState.COMPLETED:
            return
        if state is PipelineState.FAILED:
            raise PipelineError(
                clixml.error(data) if data else HostError("no reason given"), what
            )
        raise PipelineError(HostError("the pipeline was stopped"), what)


def _missing_command(error: HostError) -> str | None:
    """The required command that a failure says is not there."""
    unknown = error.id.startswith("CommandNotFoundException") or any(
        name.endswith("CommandNotFoundException") for name in error.exceptions
    )
    return (
        error.target if unknown and error.target.lower() in REQUIRED_COMMANDS else None
    )


def _skipped(error: HostError, question: Question, what: str) -> Skipped:
    name = error.target or error.command
    if not name and isinstance(question, Commands):
        name = question.calls[0].name
    if not name and isinstance(question, MetadataQuery):
        name = "Get-Command"
    return Skipped(name or what, "ErrorFromRemoteCommand", str(error))


def _message(data: bytes) -> str:
    """The text of a warning, verbose, debug or information record."""
    try:
        doc = clixml.parse(data)
    except MalformedError as error:
        return f"a message came, but was {error.message}"
    told = doc.properties(doc.root)
    for name in ("InformationalRecord_Message", "Message", "MessageData"):
        if name in told:
            return clixml.text(told[name])[:_MAX_MESSAGE]
    return clixml.text(doc.root)[:_MAX_MESSAGE]


def _endless(what: str) -> RemoteError:
    return RemoteError(
        f"the host's answer about {what} does not end within the limits of "
        f"{MAX_ANSWER_RECORDS:,} records, {MAX_COMPLAINTS:,} errors and messages, and "
        f"{MAX_ANSWER_BYTES // 1024**3} GiB",
        id="ErrorMalformedDataFromRemoteCommand",
        hint="ask for fewer commands, and do not trust this host",
    )

"""A session whose host says what the test wrote down."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator

from clixml_text import Object, write
from psexport.errors import PSExportError
from psexport.transport.base import (
    Answer,
    Commands,
    Greeting,
    MetadataQuery,
    PipelineState,
    Question,
    Record,
    Script,
    Session,
    Stream,
)

#: What a host says to one question: records, or an error that asking raises.
Said = Iterable[Record] | PSExportError
COMPLETED = Record(Stream.STATE, b"", PipelineState.COMPLETED)


def output(*documents: bytes) -> list[Record]:
    """A good answer."""
    return [*(Record(Stream.OUTPUT, data) for data in documents), COMPLETED]


def error_record(message: str, id: str = "Oops", target: str = "") -> bytes:
    """The document of an ErrorRecord."""
    told = {
        "Exception": Object(types=["System.Exception"], props={"Message": message}),
        "TargetObject": target,
        "FullyQualifiedErrorId": id,
    }
    return write(Object(text=message, members=told))


def failure(message: str, id: str = "Oops", target: str = "") -> list[Record]:
    """A pipeline that fails at once."""
    data = error_record(message, id, target)
    return [Record(Stream.STATE, data, PipelineState.FAILED)]


def not_found(command: str) -> list[Record]:
    """What a host says that lacks a command."""
    return failure(
        f"The term '{command}' is not recognized", "CommandNotFoundException", command
    )


def key(question: Question) -> str:
    """What a question is about: ``metadata``, ``script``, or its command's name."""
    if isinstance(question, MetadataQuery):
        return "metadata"
    if isinstance(question, Script):
        return "script"
    assert isinstance(question, Commands)
    first = question.calls[0]
    shows = any(name == "ShowCommandInfo" for name, _ in first.parameters)
    return "sets" if shows else first.name


class FakeSession(Session):
    """Answers by :func:`key`; what is not written down is a missing command.

    :ivar asked: every question, in order.
    :ivar stopped: how many answers were left before their end.
    """

    def __init__(
        self,
        answers: dict[str, Said | Callable[[Question], Said]],
        *,
        private_data: bytes = b"",
        runspaces: int = 1,
    ) -> None:
        self.name = "fake"
        self.greeting = Greeting("c0ffee", private_data, runspaces)
        self.asked: list[Question] = []
        self.stopped = 0
        self._answers = answers
        self._lock = threading.Lock()

    def ask(self, question: Question) -> Answer:
        with self._lock:
            self.asked.append(question)
        said = self._answers.get(key(question), not_found(key(question)))
        if callable(said):
            said = said(question)
        if isinstance(said, PSExportError):
            raise said
        return _Answer(self, said)

    def close(self) -> None:
        pass


class _Answer(Answer):
    def __init__(self, session: FakeSession, records: Iterable[Record]) -> None:
        self._session = session
        self._records = iter(records)
        self._over = False

    def __iter__(self) -> Iterator[Record]:
        for record in self._records:
            if self._over:
                return
            self._over = record.stream is Stream.STATE
            yield record

    def stop(self) -> None:
        if not self._over:
            self._over = True
            self._session.stopped += 1

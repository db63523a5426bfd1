"""A recorded host as a session.

It answers what it was asked while it was recorded, and what follows from that: fewer
commands, types or topics. It loads no modules: it has loaded all that it ever will, so
Import-Module does nothing. To anything else it answers as a host does that lacks the
command or takes no scripts, so that whoever asks goes the way it goes with such a host.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from importlib import resources
from pathlib import Path
from xml.sax.saxutils import escape

from .. import clixml
from ..connection import Connection, Kind
from . import messages, narrowing, recording
from .base import (
    Answer,
    Commands,
    Greeting,
    PipelineState,
    Question,
    Record,
    Script,
    Session,
    Stream,
)
from .live import closed
from .messages import MessageType

_QUESTIONS = (MessageType.CREATE_PIPELINE, MessageType.GET_COMMAND_METADATA)
_COUNT = re.compile(rb'(<I32 N="Count">)\d+(</I32>)')


def connect(connection: Connection) -> Session:
    """Open a recording, or the host that comes with the package.

    :raises PSExportError: it cannot be read (id ``ErrorRecordingUnreadable``).
    """
    if connection.kind is Kind.DEMO:
        # The package is installed as files, as pip does it.
        path = Path(str(resources.files("psexport") / "data" / "demo.jsonl.gz"))
        return ReplaySession(path, name="demo")
    return ReplaySession(Path(connection.path), name=connection.name)


class ReplaySession(Session):
    """What one file has of a host. The file is read anew for each answer.

    :raises PSExportError: it cannot be read (id ``ErrorRecordingUnreadable``).
    """

    def __init__(self, path: Path, *, name: str) -> None:
        self.name = name
        self._path = path
        self._closed = False
        #: Pipelines by question; asked again, a host may answer something else.
        self._same: dict[Hashable, list[str]] = {}
        self._questions: dict[str, Question] = {}
        self.greeting = self._index()

    def ask(self, question: Question) -> Answer:
        """Put a question; see :meth:`Session.ask`."""
        if self._closed:
            raise closed(self.name)
        return _Answer(self._answer(question))

    def close(self) -> None:
        """Nothing is held open; there is just no more asking."""
        self._closed = True

    def _index(self) -> Greeting:
        header = recording.read_header(self._path)
        private_data = b""
        begun: dict[str, int] = {}
        ended = set()
        for line in recording.read(self._path):
            if line.from_client and line.type in _QUESTIONS:
                begun[line.pipeline] = line.number
                try:
                    question = messages.question_of(line.type, line.data)
                except clixml.MalformedError as error:
                    raise recording.unreadable(
                        self._path, error.message, line.number
                    ) from None
                if question is not None:
                    self._questions[line.pipeline] = question
                    same = self._same.setdefault(narrowing.identity(question), [])
                    same.append(line.pipeline)
            elif line.type is MessageType.APPLICATION_PRIVATE_DATA:
                private_data = line.data
            elif (
                line.type is MessageType.PIPELINE_STATE
                and self._record(line) is not None
            ):
                ended.add(line.pipeline)
        for pipeline, number in begun.items():
            if pipeline not in ended:
                why = "a question whose answer has no end"
                raise recording.unreadable(self._path, why, number)
        return Greeting(header.runspace_id, private_data)

    def _answer(self, question: Question) -> Iterator[Record]:
        same = self._same.get(narrowing.identity(question))
        if same:
            return self._records(same.pop(0) if same[1:] else same[0])
        found = [
            (narrowed.liberties, number, pipeline, narrowed.fits)
            for number, (pipeline, wide) in enumerate(self._questions.items())
            if (narrowed := narrowing.narrow(wide, question)) is not None
        ]
        if not found:
            done = Record(Stream.STATE, b"", PipelineState.COMPLETED)
            return iter([done if _imports(question) else _refusal(question)])
        _, _, pipeline, fits = min(found, key=lambda one: one[:2])
        return self._narrowed(pipeline, fits)

    def _records(self, pipeline: str) -> Iterator[Record]:
        for line in recording.read(self._path, pipeline):
            record = None if line.from_client else self._record(line)
            if record is not None:
                yield record
                if record.stream is Stream.STATE:
                    return

    def _record(self, line: recording.Line) -> Record | None:
        try:
            return messages.record_of(line.type, line.data)
        except clixml.MalformedError as error:
            raise recording.unreadable(self._path, error.message, line.number) from None

    def _narrowed(self, pipeline: str, fits: narrowing.Fits) -> Iterator[Record]:
        """The records that fit; the host's own count of them is put right."""
        kept: list[Record] = []
        count = 0
        for record in self._records(pipeline):
            if record.stream is not Stream.OUTPUT or _is_count(record.data):
                kept.append(record)
            elif _fits(fits, record.data):
                kept.append(record)
                count += 1
        for record in kept:
            if record.stream is Stream.OUTPUT and _is_count(record.data):
                data = _COUNT.sub(rb"\g<1>%d\g<2>" % count, record.data)
                yield Record(Stream.OUTPUT, data)
            else:
                yield record


def _fits(fits: narrowing.Fits, data: bytes) -> bool:
    try:
        return fits(clixml.parse(data))
    except clixml.MalformedError:
        return False


def _imports(question: Question) -> bool:
    """Whether a question is nothing but Import-Module."""
    return isinstance(question, Commands) and all(
        call.name.lower() == "import-module" for call in question.calls
    )


def _is_count(data: bytes) -> bool:
    """Whether a record says how many commands will come."""
    return b"<T>Selected." in data[:200] and _COUNT.search(data) is not None


class _Answer(Answer):
    """The records of one answer; ends early when another thread stops it."""

    def __init__(self, records: Iterator[Record]) -> None:
        self._records = records
        self._stopped = False

    def __iter__(self) -> Iterator[Record]:
        for record in self._records:
            if self._stopped:
                yield Record(Stream.STATE, b"", PipelineState.STOPPED)
                return
            yield record

    def stop(self) -> None:
        self._stopped = True


def _refusal(question: Question) -> Record:
    """How a host ends a pipeline that it cannot even begin."""
    if isinstance(question, Script):
        error = _error(
            "ParseException",
            "ScriptsNotAllowed",
            "This is a recorded host, and that script was not recorded.",
            "a script",
            "ParserError",
            17,
        )
        return Record(Stream.STATE, error, PipelineState.FAILED)
    name = "Get-Command"  # which is what a metadata query runs
    if isinstance(question, Commands) and question.calls:
        name = question.calls[0].name
    error = _error(
        "CommandNotFoundException",
        "CommandNotFoundException",
        f"This is a recorded host, and {name} was not recorded with these parameters.",
        name,
        "ObjectNotFound",
        13,
    )
    return Record(Stream.STATE, error, PipelineState.FAILED)


def _error(
    exception: str, id: str, message: str, target: str, category: str, number: int
) -> bytes:
    """An ErrorRecord as PowerShell serializes it, as far as it is ever read."""
    space = "System.Management.Automation"
    said, about = _escaped(message), _escaped(target)
    return (
        f'<Obj RefId="1"><TN RefId="0"><T>{space}.ErrorRecord</T><T>System.Object</T>'
        f"</TN><ToString>{said}</ToString><MS>"
        f'<Obj N="Exception" RefId="2"><TN RefId="1"><T>{space}.{exception}</T>'
        f"<T>{space}.RuntimeException</T><T>System.SystemException</T>"
        f"<T>System.Exception</T><T>System.Object</T></TN>"
        f"<ToString>{space}.{exception}: {said}</ToString><Props>"
        f'<S N="Message">{said}</S><I32 N="HResult">-2146233087</I32></Props></Obj>'
        f'<S N="TargetObject">{about}</S><S N="FullyQualifiedErrorId">{id}</S>'
        f'<Nil N="InvocationInfo"/><I32 N="ErrorCategory_Category">{number}</I32>'
        f'<S N="ErrorCategory_Activity"/><S N="ErrorCategory_Reason">{exception}</S>'
        f'<S N="ErrorCategory_TargetName">{about}</S>'
        f'<S N="ErrorCategory_TargetType">String</S><S N="ErrorCategory_Message">'
        f"{category}: ({about}:String) [], {exception}</S>"
        f'<B N="SerializeExtendedInfo">false</B></MS></Obj>'
    ).encode()


def _escaped(text: str) -> str:
    return escape("".join(c if c.isprintable() else "?" for c in text))


__all__ = ["ReplaySession", "connect"]

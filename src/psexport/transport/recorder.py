"""Recording a session, of any transport, to be replayed.

The file is there when the session was closed in order, and is whole; after a failure
there is none. An answer that was not read to its end is left out: nobody can say what
the host would have said.
"""

from __future__ import annotations

import contextlib
import gzip
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO

from .. import clixml
from ..errors import PSExportError
from . import messages, recording
from .base import Answer, Question, Record, Session, Stream
from .messages import MessageType

#: Changes CLIXML before it is written, to leave out what should not be told.
Scrub = Callable[[bytes], bytes]

#: An answer is kept in memory up to this many bytes, then in a file.
_IN_MEMORY = 1024 * 1024


def record(
    session: Session, path: str | Path, *, note: str = "", scrub: Scrub | None = None
) -> Session:
    """A session that asks ``session`` and writes down what it answers.

    It owns ``session``: closing it closes that one, and puts the file in its place,
    readable by its owner only, since hosts tell things about themselves.

    :param path: the file, whose folder exists; what is there is replaced at the end.
    :param note: what the recording is for.
    :raises PSExportError: nothing can be written there
        (id ``ErrorRecordingUnwritable``).
    """
    return _Recorder(session, Path(path), note, scrub or bytes)


class _Recorder(Session):
    def __init__(self, session: Session, path: Path, note: str, scrub: Scrub) -> None:
        self.name = session.name
        self.greeting = session.greeting
        self.connection = session.connection
        self._session = session
        self._path = path
        self._scrub = scrub
        self._lock = threading.Lock()
        self._pipelines = 0
        self._sound = True
        self._closed = False
        with _writing(path):
            raw = tempfile.NamedTemporaryFile(  # noqa: SIM115 (closed by close())
                dir=path.parent, prefix=f".{path.name}.", delete=False
            )
        self._raw: IO[bytes] = raw
        self._temporary = Path(raw.name)
        # No name and no time inside, so that the same session gives the same bytes.
        self._file = gzip.GzipFile("", "wb", fileobj=raw, mtime=0)
        try:
            self._begin(note)
        except BaseException:
            self._discard()
            raise

    def ask(self, question: Question) -> Answer:
        """Put a question; see :meth:`Session.ask`."""
        with self._lock:
            self._pipelines += 1
            # Numbers instead of random ones, for the same reason.
            pipeline = str(uuid.UUID(int=self._pipelines))
        type, message = messages.compose(question)
        with _writing(self._path):
            lines = _Lines(pipeline, self._scrub)
            lines.add(type, messages.serialized(message), from_client=True)
        return _Answer(self._session.ask(question), lines, self)

    def keep(self, lines: _Lines) -> None:
        """Take over an answer that is complete."""
        with self._lock, _writing(self._path):
            if not self._closed:
                lines.copy_to(self._file)

    def spoil(self) -> None:
        """The session failed, so there will be no recording of it."""
        self._sound = False

    def close(self) -> None:
        """Close the session, and put the recording in its place."""
        if self._closed:
            return
        try:
            self._session.close()
        except BaseException:
            self.spoil()
            raise
        finally:
            self._finish()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self.spoil()
        self.close()

    def _begin(self, note: str) -> None:
        private_data = self._scrub(self.greeting.private_data)
        with _writing(self._path):
            recording.write_header(
                self._file, _host(private_data), note, self.greeting.runspace_id
            )
            if private_data:
                recording.write(
                    self._file,
                    from_client=False,
                    type=MessageType.APPLICATION_PRIVATE_DATA,
                    pipeline="",
                    data=private_data,
                )

    def _finish(self) -> None:
        with self._lock:
            self._closed = True
        if not self._sound:
            self._discard()
            return
        try:
            with _writing(self._path):
                self._file.close()
                self._raw.close()
                self._temporary.replace(self._path)
        except BaseException:
            self._discard()
            raise

    def _discard(self) -> None:
        self._closed = True
        for part in (self._file, self._raw):
            with contextlib.suppress(OSError):
                part.close()
        self._temporary.unlink(missing_ok=True)


class _Lines:
    """The lines of one answer, until it is known to be complete."""

    def __init__(self, pipeline: str, scrub: Scrub) -> None:
        self._pipeline = pipeline
        self._scrub = scrub
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115

    def add(self, type: MessageType, data: bytes, *, from_client: bool = False) -> None:
        """Append a message."""
        try:
            recording.write(
                self._file,
                from_client=from_client,
                type=type,
                pipeline=self._pipeline,
                data=self._scrub(data),
            )
        except UnicodeDecodeError:
            # A record that nobody could read either.
            raise clixml.MalformedError("a record that is not UTF-8") from None

    def copy_to(self, file: recording.Sink) -> None:
        """Write them all, and be done."""
        self._file.seek(0)
        while chunk := self._file.read(_IN_MEMORY):
            file.write(chunk)
        self._file.close()

    def drop(self) -> None:
        """Be done without them."""
        self._file.close()


class _Answer(Answer):
    def __init__(self, answer: Answer, lines: _Lines, recorder: _Recorder) -> None:
        self._answer = answer
        self._lines = lines
        self._recorder = recorder

    def __iter__(self) -> Iterator[Record]:
        try:
            for record in self._answer:
                with _writing(self._recorder._path):
                    self._lines.add(*messages.message_of(record))
                if record.stream is Stream.STATE:
                    self._recorder.keep(self._lines)
                yield record
        except PSExportError:
            self._recorder.spoil()
            raise

    def stop(self) -> None:
        self._answer.stop()
        self._lines.drop()


def _host(private_data: bytes) -> str:
    """What kind of host it is, by its own word and without its name."""
    try:
        document = clixml.parse(private_data)
        told = document.value(document.root)
    except clixml.MalformedError:
        return "a host that does not tell its version"
    for key in ("ApplicationPrivateData", "PSVersionTable"):
        told = told.get(key) if isinstance(told, dict) else None
    if not isinstance(told, dict):
        return "a host that does not tell its version"
    on = {"Unix": " on Unix", "Win32NT": " on Windows"}.get(
        str(told.get("Platform")), ""
    )
    return f"PowerShell {told.get('PSVersion')}{on}"


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PSExportError(
            f"the recording cannot be written: {error.strerror or error}",
            id="ErrorRecordingUnwritable",
            target=str(path),
            hint="check the folder, its rights and the free space",
        ) from error


__all__ = ["Scrub", "record"]

"""The seam: ask a session a question, and read what comes back while it arrives.

A transport offers a :class:`Session`. It knows nothing of catalogues, and those who
ask know nothing of WSMan, ssh or recordings. What the host sent is handed over as it
came, one CLIXML document a record, undecoded: the one who asks decodes just what it
needs, once.

A session is used from the thread that opened it; where ``runspaces`` is above one,
that many answers may be open at the same time, from several threads.
"""

from __future__ import annotations

import abc
import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING

from ..vocabulary import CommandType

if TYPE_CHECKING:
    from ..connection import Connection


@dataclass(frozen=True, slots=True)
class Version:
    """A System.Version as an argument."""

    text: str


#: What a command's parameter may be given. An integer is an Int32 if it fits into one,
#: else an Int64; :class:`~psexport.pslang.TypedInt` is what it says.
Argument = None | bool | int | float | Decimal | str | Version | Sequence["Argument"]


@dataclass(frozen=True, slots=True)
class Call:
    """One command of a pipeline and its named parameters, in order."""

    name: str
    parameters: tuple[tuple[str, Argument], ...] = ()


@dataclass(frozen=True, slots=True)
class Commands:
    """A pipeline of commands: what every endpoint takes, NoLanguage ones too."""

    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Script:
    """A script and its named parameters: only where the language mode allows it."""

    text: str
    parameters: tuple[tuple[str, Argument], ...] = ()


@dataclass(frozen=True, slots=True)
class ModuleSpec:
    """A FullyQualifiedModule; versions and guid as text, ``None`` where open."""

    name: str
    version: str | None = None
    required_version: str | None = None
    maximum_version: str | None = None
    guid: str | None = None


@dataclass(frozen=True, slots=True)
class MetadataQuery:
    """PSRP's GET_COMMAND_METADATA: which commands are there?"""

    names: tuple[str, ...] = ("*",)
    types: CommandType = CommandType.DEFAULT
    modules: tuple[str, ...] = ()
    full_modules: tuple[ModuleSpec, ...] = ()
    arguments: tuple[Argument, ...] = ()


Question = Commands | Script | MetadataQuery


class Stream(enum.Enum):
    """What a record is."""

    OUTPUT = "output"
    ERROR = "error"
    WARNING = "warning"
    VERBOSE = "verbose"
    DEBUG = "debug"
    INFORMATION = "information"
    PROGRESS = "progress"
    #: The pipeline's last word; ``Record.state`` says which.
    STATE = "state"


class PipelineState(enum.IntEnum):
    """How a pipeline ended, with PSRP's numbers."""

    STOPPED = 3
    COMPLETED = 4
    FAILED = 5


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that the host said.

    :ivar stream: what it is.
    :ivar data: the CLIXML of it, as bytes (UTF-8); of a STATE record the ErrorRecord
        document of the failure, empty when there is none.
    :ivar state: of a STATE record, how the pipeline ended.
    """

    stream: Stream
    data: bytes
    state: PipelineState | None = None


class Answer(abc.ABC):
    """The records of one question, in the order they came.

    Iteration ends after the STATE record. Leaving the ``with`` before that stops the
    pipeline on the host.
    """

    @abc.abstractmethod
    def __iter__(self) -> Iterator[Record]:
        """Yield the records as they arrive.

        :raises TransportError: the session broke, or nothing was heard in time
            (id ``ErrorSessionBroken``, ``ErrorSessionTimeout``).
        """

    @abc.abstractmethod
    def stop(self) -> None:
        """Stop the pipeline on the host; harmless after its end."""

    def __enter__(self) -> Answer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to wait, in seconds.

    :ivar open: for the session to be ready.
    :ivar silence: for the next record of a pipeline: a host that computes for long
        but is alive is not cut off by a total.
    :ivar close: for the host to say goodbye; then it is ended.
    """

    open: float = 60.0
    silence: float = 180.0
    close: float = 5.0


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a session told while it was opened.

    :ivar runspace_id: the runspace pool's InstanceId, a GUID in lower case.
    :ivar private_data: the APPLICATION_PRIVATE_DATA document, empty if none came.
    :ivar runspaces: how many answers may be open at the same time.
    :ivar warnings: what a user should know about the way the session was opened.
    """

    runspace_id: str = ""
    private_data: bytes = b""
    runspaces: int = 1
    warnings: tuple[str, ...] = ()


class Session(abc.ABC):
    """An open remoting session; a context manager that closes itself."""

    #: Human name of the host for messages, without secrets.
    name: str
    greeting: Greeting
    #: How it was reached; ``None`` where nobody said.
    connection: Connection | None = None

    @abc.abstractmethod
    def ask(self, question: Question) -> Answer:
        """Put a question to the host.

        :raises TransportError: the session is closed or broken.
        :raises RemoteError: this kind of session cannot ask that (id
            ``ErrorRequiredRemoteCommandNotFound``).
        """

    @abc.abstractmethod
    def close(self) -> None:
        """End the session and whatever was started for it; harmless when repeated."""

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


__all__ = [
    "Answer",
    "Argument",
    "Call",
    "Commands",
    "Greeting",
    "Limits",
    "MetadataQuery",
    "ModuleSpec",
    "PipelineState",
    "Question",
    "Record",
    "Script",
    "Session",
    "Stream",
    "Version",
]

"""PowerShell Remoting Protocol, client side, without input or output.

Theory of operation. PSRP's messages are cut into fragments, and a transport carries
the fragments: WSMan in SOAP envelopes, the out-of-process transports in lines of XML.
A :class:`Client` knows just the fragments. What :meth:`Client.outgoing` yields is to be
sent, in that order; what arrives goes to :meth:`Client.receive`, which says what
happened. Waiting, acknowledging and closing are the transport's.

::

    client = Client()
    client.open()
    for piece in client.outgoing(): …send piece.data to the pool…
    for event in client.receive(None, fragments): …          # Opened
    pipeline = client.ask(Commands((Call("Get-Date"),)))
    for piece in client.outgoing(): …create piece.target, and send it piece.data…
    for event in client.receive(pipeline, fragments): …      # Said, Said, …

psrpcore does the protocol's small messages: capabilities, the opening, the session
key. It makes an object of everything it reads, which takes seconds for a catalogue of
commands. So a pipeline's records never meet it: they are handed over as they came.

A host is not trusted. Whatever it sends, the outcome is an event or a
:class:`~psexport.errors.TransportError`, and memory is bounded.
"""

from __future__ import annotations

import platform
import struct
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import __version__, clixml
from . import messages
from .base import Question, Record, Stream
from .fragments import Reassembly, violation, whole
from .messages import MessageType

if TYPE_CHECKING:
    from psrpcore.types import ErrorRecord

#: Bytes of one outgoing fragment with its header; what PowerShell uses itself.
FRAGMENT_SIZE = 32 * 1024

#: A host leaves out what the PowerShell version of its client cannot read. This one
#: reads what PowerShell 7 reads; $PSSenderInfo shows beside it who is really asking.
CLIENT_POWERSHELL = "7.0"
_PROTOCOL = "2.3"
_SERIALIZATION = "1.1.0.1"

_MESSAGE = struct.Struct("<iI16s16s")
_BOM = b"\xef\xbb\xbf"

#: The call id of host calls that expect no answer.
_NO_ANSWER = -100

#: What psrpcore acts upon; the rest is read here or is nothing to this client.
_FOR_PSRPCORE = frozenset(
    {
        MessageType.SESSION_CAPABILITY,
        MessageType.RUNSPACEPOOL_STATE,
        MessageType.RUNSPACEPOOL_INIT_DATA,
        MessageType.PUBLIC_KEY_REQUEST,
        MessageType.ENCRYPTED_SESSION_KEY,
    }
)


@dataclass(frozen=True, slots=True)
class Opened:
    """The runspace pool is ready for questions.

    :ivar private_data: the APPLICATION_PRIVATE_DATA document, empty if none came.
    """

    private_data: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """The runspace pool is closed or broken.

    :ivar reason: what the host says of it, empty if nothing.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Said:
    """A pipeline has a record; a STATE record is its last."""

    pipeline: uuid.UUID
    record: Record


Event = Opened | Ended | Said


class Outgoing(NamedTuple):
    """Fragments to send.

    :ivar target: the pipeline that they are for, ``None`` for the pool.
    :ivar data: whole fragments, together at most ``fragment_size`` long.
    :ivar prompt: they answer a host call, which some transports carry apart.
    """

    target: uuid.UUID | None
    data: bytes
    prompt: bool


class Client:
    """One runspace pool and its pipelines, seen from the client.

    Not thread-safe: the transport guards it.

    :param runspaces: how many pipelines the host is asked to run at the same time.
    :param fragment_size: largest outgoing fragment in bytes, with its header.
    :ivar runspace_id: InstanceId of the pool.
    """

    def __init__(
        self, *, runspaces: int = 1, fragment_size: int = FRAGMENT_SIZE
    ) -> None:
        from psrpcore import ClientRunspacePool

        self.runspace_id = uuid.uuid4()
        self._fragment_size = fragment_size
        self._pool = ClientRunspacePool(
            application_arguments=_application_arguments(),
            max_runspaces=runspaces,
            runspace_pool_id=self.runspace_id,
        )
        self._private_data = b""
        self._streams: dict[uuid.UUID | None, Reassembly] = {None: Reassembly()}

    def open(self) -> None:
        """Queue the messages that open the pool."""
        self._pool.open()

    def ask(self, question: Question) -> uuid.UUID:
        """Queue a question; what is said about it comes under the returned id.

        :raises UsageError: it has what cannot be sent.
        """
        pipeline = uuid.uuid4()
        type, message = messages.compose(question)
        self._prepare(message, type, pipeline)
        self._streams[pipeline] = Reassembly()
        return pipeline

    def forget(self, pipeline: uuid.UUID) -> None:
        """Take no more of a pipeline; what still comes for it is dropped."""
        self._streams.pop(pipeline, None)

    def outgoing(self) -> Iterator[Outgoing]:
        """Yield what is to be sent, in order; what is yielded is no longer queued."""
        from psrpcore import StreamType

        while (payload := self._pool.data_to_send(self._fragment_size)) is not None:
            prompt = payload.stream_type is StreamType.prompt_response
            yield Outgoing(payload.pipeline_id, payload.data, prompt)

    def receive(self, target: uuid.UUID | None, data: bytes) -> Iterator[Event]:
        """Take fragments that came for the pool (``None``) or a pipeline.

        Consume the iterator: what it yields happens while it is consumed.

        :raises TransportError: what came is not PSRP (id ``ErrorSessionProtocol``) or
            too large (id ``ErrorMessageTooLarge``); the session is of no use then.
        """
        stream = self._streams.get(target)
        if stream is None:
            return
        for message in stream.feed(data):
            event = self._handle(message)
            if event is not None:
                yield event

    def _handle(self, message: bytes | bytearray) -> Event | None:
        try:
            _, number, _, pid = _MESSAGE.unpack_from(message)
            type = MessageType(number)
        except (struct.error, ValueError):
            raise violation("a message without a valid header") from None
        data = bytes(memoryview(message)[_MESSAGE.size :])
        data = data.removeprefix(_BOM)
        pipeline = uuid.UUID(bytes_le=pid)
        if type in messages.STREAMS or type is MessageType.PIPELINE_STATE:
            return self._record(pipeline, type, data)
        if type in _FOR_PSRPCORE:
            return self._control(type, message, data)
        if type is MessageType.APPLICATION_PRIVATE_DATA:
            self._private_data = data
        elif type in (
            MessageType.PIPELINE_HOST_CALL,
            MessageType.RUNSPACEPOOL_HOST_CALL,
        ):
            self._refuse(type, data, pipeline if pipeline.int else None)
        return None

    def _record(
        self, pipeline: uuid.UUID, type: MessageType, data: bytes
    ) -> Event | None:
        if pipeline not in self._streams:
            return None
        try:
            record = messages.record_of(type, data)
        except clixml.MalformedError as error:
            raise violation(f"the state of a pipeline is {error.message}") from None
        if record is None:
            return None
        if record.stream is Stream.STATE:
            self.forget(pipeline)
        return Said(pipeline, record)

    def _control(
        self, type: MessageType, message: bytes | bytearray, data: bytes
    ) -> Event | None:
        from psrpcore import PSRPPayload, RunspacePoolStateEvent, StreamType
        from psrpcore.types import RunspacePoolState

        try:
            # Bounded and without entities before a general XML parser sees it.
            clixml.parse(data)
            payload = PSRPPayload(whole(message), StreamType.default, None)
            self._pool.receive_data(payload)
            event = self._pool.next_event()
            if not isinstance(event, RunspacePoolStateEvent):
                return None
            state = event.state
        except Exception as error:  # psrpcore raises whatever its input makes it
            raise violation(f"a {type.name} that makes no sense ({error!r})") from error
        if state is RunspacePoolState.Opened:
            return Opened(self._private_data)
        if state in (RunspacePoolState.Broken, RunspacePoolState.Closed):
            return Ended(_reason(data))
        return None

    def _refuse(
        self, type: MessageType, data: bytes, pipeline: uuid.UUID | None
    ) -> None:
        """Answer a host call with an error: there is nobody to ask here."""
        from psrpcore.types import (
            HostMethodIdentifier,
            PipelineHostResponse,
            RunspacePoolHostResponse,
        )

        try:
            document = clixml.parse(data)
            said = document.properties(document.root)
            call = clixml.number(said.get("ci"))
            method = clixml.number(said.get("mi"))
        except clixml.MalformedError as error:
            raise violation(f"a {type.name} is {error.message}") from None
        if call is None or method is None or call == _NO_ANSWER:
            return
        if method not in HostMethodIdentifier._value2member_map_:
            raise violation(f"a {type.name} of an unknown method, {method}")
        said_no = {"ci": call, "mi": method, "me": _no_host()}
        if type is MessageType.PIPELINE_HOST_CALL:
            refusal: Any = PipelineHostResponse(**said_no)
            answer = MessageType.PIPELINE_HOST_RESPONSE
        else:
            refusal = RunspacePoolHostResponse(**said_no)
            answer = MessageType.RUNSPACEPOOL_HOST_RESPONSE
        self._prepare(refusal, answer, pipeline, prompt=True)

    def _prepare(
        self,
        message: Any,
        type: MessageType,
        pipeline: uuid.UUID | None,
        prompt: bool = False,
    ) -> None:
        from psrpcore import StreamType
        from psrpcore.types import PSRPMessageType

        stream = StreamType.prompt_response if prompt else StreamType.default
        self._pool.prepare_message(message, PSRPMessageType(type), pipeline, stream)


def _application_arguments() -> dict[str, Any]:
    """What a PowerShell client tells of itself, as far as it is true here."""
    from psrpcore.types import PSVersion

    system = "Win32NT" if platform.system() == "Windows" else "Unix"
    return {
        "PSVersionTable": {
            "PSVersion": PSVersion(CLIENT_POWERSHELL),
            "PSEdition": "Core",
            "PSCompatibleVersions": [
                PSVersion(v) for v in ("5.0", "5.1", "6.0", CLIENT_POWERSHELL)
            ],
            "PSRemotingProtocolVersion": PSVersion(_PROTOCOL),
            "SerializationVersion": PSVersion(_SERIALIZATION),
            "Platform": system,
        },
        "ClientName": "psexport",
        "ClientVersion": __version__,
    }


def _no_host() -> ErrorRecord:
    from psrpcore.types import (
        ErrorCategory,
        ErrorCategoryInfo,
        ErrorRecord,
        NETException,
    )

    return ErrorRecord(
        Exception=NETException(
            Message="psexport runs commands without a user: it cannot be asked.",
            HResult=-2146233087,
        ),
        CategoryInfo=ErrorCategoryInfo(
            Category=ErrorCategory.NotImplemented, Reason="NotImplemented"
        ),
        FullyQualifiedErrorId="psexport,HostCallRefused",
    )


def _reason(data: bytes) -> str:
    """Why a pool broke, from its RUNSPACEPOOL_STATE message."""
    if b"ExceptionAsErrorRecord" not in data:
        return ""
    return str(clixml.error(data))


__all__ = [
    "CLIENT_POWERSHELL",
    "Client",
    "Ended",
    "Event",
    "Opened",
    "Outgoing",
    "Said",
]

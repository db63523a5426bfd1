"""The operations of WSMan on a PowerShell shell, over one wire.

pypsrp makes the envelopes and takes them apart; what travels in them, and over what, is
ours.
"""

from __future__ import annotations

import base64
import binascii
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from xml.etree import ElementTree

from ..errors import TransportError
from . import http_failures, wsman_faults
from .wire import Wire
from .wsman_faults import Fault

if TYPE_CHECKING:
    from pypsrp.wsman import WSMan

#: What a host may put into one answer, in bytes; what PowerShell asks for itself.
MAX_ENVELOPE = 512_000
#: What Windows adds to the name of a session configuration.
RESOURCE = "http://schemas.microsoft.com/powershell/"
DEFAULT_CONFIGURATION = "Microsoft.PowerShell"

_RSP = "{http://schemas.microsoft.com/wbem/wsman/1/windows/shell}"
_SELECTORS = (
    "{http://schemas.xmlsoap.org/ws/2004/09/transfer}ResourceCreated/"
    "{http://schemas.xmlsoap.org/ws/2004/08/addressing}ReferenceParameters/"
    "{http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd}SelectorSet/"
    "{http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd}Selector"
)
_CONFIG = "{http://schemas.microsoft.com/wbem/wsman/1/config}"
_PROTOCOL = "2.3"
_INTERRUPT = "powershell/signal/ctrl_c"
_TERMINATE = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/signal/Terminate"
_DONE = "CommandState/Done"
#: The least that Windows takes for a time-out, in seconds, and the most.
_LEAST, _MOST = 1, 60
#: Seconds more than the host is given, before its silence counts as one.
_GRACE = 10.0


@dataclass(frozen=True, slots=True)
class Address:
    """Which shell: what all wires to it have in common.

    :ivar resource: URI of the session configuration.
    :ivar shell: the shell's id.
    :ivar session: id of this client's session, by which a host knows it again.
    """

    resource: str
    shell: str
    session: str


class Received(NamedTuple):
    """What one Receive brought.

    :ivar data: PSRP fragments; "" when there was nothing to say in time.
    :ivar done: whether the command is over.
    """

    data: bytes = b""
    done: bool = False


class Shell:
    """One shell over one wire.

    Each operation raises what :meth:`Wire.exchange` does.
    """

    def __init__(self, wire: Wire, address: Address) -> None:
        self.wire = wire
        self._address = address
        self._wsman = _envelopes(wire, address.session)

    def create(self, fragments: bytes, seconds: float) -> str:
        """Make the shell, and return its id, which is the host's to say."""
        from pypsrp.wsman import OptionSet

        shell = ElementTree.Element(f"{_RSP}Shell", ShellId=self._address.shell)
        ElementTree.SubElement(shell, f"{_RSP}InputStreams").text = "stdin pr"
        ElementTree.SubElement(shell, f"{_RSP}OutputStreams").text = "stdout"
        creation = ElementTree.SubElement(
            shell, "creationXml", xmlns=RESOURCE.rstrip("/")
        )
        creation.text = _encoded(fragments)
        options = OptionSet()
        options.add_option("protocolversion", _PROTOCOL, {"MustComply": "true"})
        answer = self._ask("create", shell, seconds, options=options, selected=False)
        for selector in answer.iterfind(_SELECTORS):
            if selector.get("Name") == "ShellId" and selector.text:
                return selector.text
        raise self._nonsense("a shell without an id")

    def command(self, pipeline: str, fragments: bytes, seconds: float) -> None:
        """Begin a pipeline with its first fragments."""
        line = ElementTree.Element(f"{_RSP}CommandLine", CommandId=pipeline)
        ElementTree.SubElement(line, f"{_RSP}Command").text = ""
        ElementTree.SubElement(line, f"{_RSP}Arguments").text = _encoded(fragments)
        self._ask("command", line, seconds)

    def send(
        self, pipeline: str | None, fragments: bytes, seconds: float, *, prompt: bool
    ) -> None:
        """Send fragments to a pipeline, or to the pool."""
        send = ElementTree.Element(f"{_RSP}Send")
        stream = ElementTree.SubElement(
            send,
            f"{_RSP}Stream",
            {"Name": "pr" if prompt else "stdin", **_of(pipeline)},
        )
        stream.text = _encoded(fragments)
        self._ask("send", send, seconds)

    def receive(self, pipeline: str | None, seconds: float) -> Received:
        """Wait up to ``seconds`` for fragments from a pipeline, or from the pool."""
        from pypsrp.wsman import OptionSet

        receive = ElementTree.Element(f"{_RSP}Receive")
        wanted = ElementTree.SubElement(receive, f"{_RSP}DesiredStream", _of(pipeline))
        wanted.text = "stdout"
        options = OptionSet()
        options.add_option("WSMAN_CMDSHELL_OPTION_KEEPALIVE", "True")
        try:
            answer = self._ask("receive", receive, seconds, options=options)
        except Fault as fault:
            if fault.code == wsman_faults.TIMED_OUT:
                return Received()
            raise
        try:
            data = b"".join(
                base64.b64decode(stream.text or "", validate=True)
                for stream in answer.iter(f"{_RSP}Stream")
            )
        except (binascii.Error, ValueError):
            data = None
        if data is None:
            raise self._nonsense("a stream that is not base64")
        state = answer.find(f".//{_RSP}CommandState")
        done = state is not None and state.get("State", "").endswith(_DONE)
        return Received(data, done)

    def interrupt(self, pipeline: str, seconds: float) -> None:
        """Have the host stop a pipeline."""
        self._signal(pipeline, _INTERRUPT, seconds)

    def terminate(self, pipeline: str, seconds: float) -> None:
        """Say that a pipeline is done with."""
        self._signal(pipeline, _TERMINATE, seconds)

    def delete(self, seconds: float) -> None:
        """End the shell."""
        self._ask("delete", None, seconds)

    def max_envelope(self, seconds: float) -> int | None:
        """The longest request that the host takes; ``None`` if it does not say."""
        self._prepare(seconds)
        try:
            answer = self._wsman.get_server_config()
        except Fault:  # only administrators may ask
            return None
        told = answer.findtext(f".//{_CONFIG}MaxEnvelopeSizekb") or ""
        return int(told) * 1024 if told.isdecimal() and len(told) < 10 else None

    def _signal(self, pipeline: str, code: str, seconds: float) -> None:
        signal = ElementTree.Element(f"{_RSP}Signal", CommandId=pipeline)
        ElementTree.SubElement(signal, f"{_RSP}Code").text = code
        self._ask("signal", signal, seconds)

    def _ask(
        self,
        operation: str,
        body: ElementTree.Element | None,
        seconds: float,
        *,
        options: object = None,
        selected: bool = True,
    ) -> ElementTree.Element:
        from pypsrp.exceptions import WinRMError
        from pypsrp.wsman import SelectorSet

        selectors = SelectorSet()
        selectors.add_option("ShellId", self._address.shell)
        patience = self._prepare(seconds)
        try:
            answer: ElementTree.Element | None = getattr(self._wsman, operation)(
                self._address.resource,
                body,
                option_set=options,
                selector_set=selectors if selected else None,
                timeout=patience,
            )
        except (Fault, TransportError):
            raise
        except ElementTree.ParseError:
            failure = self._nonsense("an answer that is not XML")
        except WinRMError:
            failure = self._nonsense("the answer to another question")
        else:
            if answer is not None:
                return answer
            failure = self._nonsense("an answer without a body")
        raise failure

    def _prepare(self, seconds: float) -> int:
        """Let the wire wait a little longer than the host, whose seconds it returns."""
        whole = max(_LEAST, min(_MOST, math.ceil(seconds)))
        self.wire.seconds = max(whole + _GRACE, seconds)
        return whole

    def _nonsense(self, what: str) -> TransportError:
        return http_failures.nonsense(self.wire.connection, what, self.wire.phase)


def _envelopes(wire: Wire, session: str) -> WSMan:
    from pypsrp.wsman import WSMan

    made = WSMan(
        wire.connection.host, ssl=True, auth="basic", max_envelope_size=MAX_ENVELOPE
    )
    # Its own transport has opened nothing yet; ours is bounded, and knows its phase.
    made.transport = wire  # type: ignore[assignment]
    made.session_id = session
    return made


def _of(pipeline: str | None) -> dict[str, str]:
    return {} if pipeline is None else {"CommandId": pipeline}


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


__all__ = [
    "DEFAULT_CONFIGURATION",
    "MAX_ENVELOPE",
    "RESOURCE",
    "Address",
    "Received",
    "Shell",
]

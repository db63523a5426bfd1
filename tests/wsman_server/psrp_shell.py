"""A PowerShell shell: WS-Management on one side, a real engine on the other.

The engine speaks PSRP over its out-of-process framing, the client PSRP over
WS-Management. The fragments inside are the same:

    Create, Send          ->  Data of the pool or a pipeline
    Command               ->  Command, then Data
    Signal                ->  Signal (stop) or Close (terminate)
    Data from the engine  ->  a channel that Receive empties
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from . import fragments
from .fragments import Cutter, MessageType
from .outofproc import POOL, NotAcknowledgedError, PowerShellProcess, ProcessError
from .shell import MAX_IDLE_TIMEOUT, Channel, Shell, ShellState, command_not_found
from .soap import Request, element, find, new_id, text_of
from .wsman_fault import WsmanFaultError

_STREAMS = {"stdin": "Default", "pr": "PromptResponse"}
# PSInvocationState: stopped, completed, failed.
_ENDED = re.compile(rb'N="PipelineState">(3|4|5)<')
_POOL_SIZE = re.compile(rb'<I32 N="(MinRunspaces|MaxRunspaces)">(\d+)</I32>')
_PROVIDER = "microsoft.powershell"
# Room for the envelope around the streams of an answer, in bytes.
ENVELOPE_OVERHEAD = 2000
# Object ids for messages that the server itself adds, far from the engine's.
_OWN_OBJECTS = 1 << 62


@dataclass(frozen=True)
class Endpoint:
    """A session configuration.

    `configuration_file` is a .pssc for the engine, `arguments` more of its command
    line. Accounts outside `allowed` get access denied; None allows all. `protocol` is
    the newest PSRP version that it accepts.
    """

    configuration_file: Path | None = None
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    allowed: frozenset[str] | None = None
    protocol: str = "2.3"

    def command(self, pwsh: str) -> list[str]:
        line = [pwsh, "-s", "-NoLogo", "-NoProfile", *self.arguments]
        if self.configuration_file is not None:
            line += ["-ConfigurationFile", str(self.configuration_file)]
        return line


class PsrpShell(Shell):
    """One runspace pool in one PowerShell process."""

    def __init__(
        self, state: ShellState, endpoint: Endpoint, pwsh: str, request: Request
    ) -> None:
        super().__init__(state)
        envelope = (request.max_envelope or 153600) - ENVELOPE_OVERHEAD
        self._cutter = Cutter(envelope * 3 // 4 - 256)
        self._seconds = request.timeout or 60.0
        self._pool_id = uuid.UUID(state.shell_id)
        self._pool = Channel()
        self._pipelines: dict[uuid.UUID, Channel] = {}
        self._opening: dict[int, bytes] = {}
        self._pool_size: dict[str, int] = {}
        self._own_objects = _OWN_OBJECTS
        self._opened = False
        self._closing = False
        self._dead = False
        _refuse_newer_protocol(request, endpoint)
        try:
            self._process = PowerShellProcess(
                endpoint.command(pwsh),
                endpoint.environment,
                on_data=self._data,
                on_exit=self._exited,
                on_complaint=self._complained,
            )
        except OSError as error:
            raise WsmanFaultError.known(1726, str(error), _PROVIDER) from error
        self._open(request)

    @property
    def is_alive(self) -> bool:
        return not self._dead

    @property
    def process_ids(self) -> tuple[int, ...]:
        return (self._process.pid,)

    @property
    def commands(self) -> dict[str, Channel]:
        return {
            str(pipeline).upper(): channel
            for pipeline, channel in tuple(self._pipelines.items())
        }

    def command(self, request: Request) -> str:
        line = find(request.body, "rsp:CommandLine")
        asked = line.get("CommandId") if line is not None else None
        command_id = asked or new_id()
        pipeline = _guid(command_id)
        arguments = text_of(request.body, "rsp:CommandLine/rsp:Arguments") or ""
        self._pipelines[pipeline] = Channel()
        try:
            self._process.send("Command", pipeline, seconds=self._seconds)
            self._process.send(
                "Data", pipeline, _decode(arguments), seconds=self._seconds
            )
        except ProcessError as error:
            raise self._gone(error) from error
        return command_id

    def send(self, stream: str, command_id: str | None, data: bytes, end: bool) -> None:
        target = POOL if command_id is None else _guid(command_id)
        self.channel(command_id)
        if stream not in _STREAMS:
            raise WsmanFaultError.known(87, f"There is no stream {stream}.")
        try:
            self._process.send(
                "Data", target, data, stream=_STREAMS[stream], seconds=self._seconds
            )
        except ProcessError as error:
            raise self._gone(error) from error

    def channel(self, command_id: str | None) -> Channel:
        if command_id is None:
            return self._pool
        try:
            return self._pipelines[_guid(command_id)]
        except KeyError:
            raise command_not_found() from None

    def signal(self, command_id: str | None, code: str) -> None:
        if command_id is None:
            return
        pipeline = _guid(command_id)
        channel = self.channel(command_id)
        try:
            if code.lower().endswith("/terminate"):
                # An ended pipeline was closed when it ended.
                if not channel.done:
                    self._process.send("Close", pipeline, seconds=self._seconds)
                channel.fail(WsmanFaultError.known(995))
                self._pipelines.pop(pipeline, None)
            elif not channel.done:
                self._process.send("Signal", pipeline, seconds=self._seconds)
        except ProcessError as error:
            raise self._gone(error) from error

    def reattach(self, request: Request) -> list[etree._Element]:
        node = find(request.body, "rsp:Connect")
        command_id = node.get("CommandId") if node is not None else None
        if command_id is not None:
            self.channel(command_id)
            return [element("rsp:ConnectResponse")]
        sizes = "".join(
            f'<I32 N="{name}">{size}</I32>' for name, size in self._pool_size.items()
        )
        init_data = f'<Obj RefId="0"><MS>{sizes}</MS></Obj>'.encode()
        told = self._own_message(
            MessageType.SESSION_CAPABILITY,
            self._opening.get(MessageType.SESSION_CAPABILITY, b""),
        ) + self._own_message(MessageType.RUNSPACEPOOL_INIT_DATA, init_data)
        private = self._opening.get(MessageType.APPLICATION_PRIVATE_DATA, b"")
        self._pool.put(
            "stdout", self._own_message(MessageType.APPLICATION_PRIVATE_DATA, private)
        )
        return [
            element(
                "rsp:ConnectResponse",
                element("rsp:InputStreams", text=self.state.input_streams),
                element("rsp:OutputStreams", text=self.state.output_streams),
                element(
                    "pwsh:connectResponseXml", text=base64.b64encode(told).decode()
                ),
            )
        ]

    def close(self) -> None:
        self._closing = True
        self._fail_all(WsmanFaultError.known(995))
        self._process.close()

    def kill(self) -> None:
        self._process.kill()

    def _open(self, request: Request) -> None:
        creation = text_of(request.body, "rsp:Shell/pwsh:creationXml") or ""
        data = _decode(creation)
        for kind, clixml in fragments.messages(data):
            if kind == MessageType.INIT_RUNSPACEPOOL:
                for name, size in _POOL_SIZE.findall(clixml):
                    self._pool_size[name.decode()] = int(size)
        try:
            self._process.send("Data", POOL, data, seconds=self._seconds)
        except ProcessError as error:
            fault = self._gone(error)
            self.close()
            raise fault from error

    def _data(self, guid: uuid.UUID, data: bytes) -> None:
        """Called by the process's reader for every Data packet."""
        channel = self._pool if guid == POOL else self._pipelines.get(guid)
        if channel is None:
            return
        ended = False
        for fragment in fragments.parse(data):
            kind = fragment.message_type
            if kind in (
                MessageType.SESSION_CAPABILITY,
                MessageType.APPLICATION_PRIVATE_DATA,
            ):
                self._opening[kind] = dict(fragments.messages(fragment.pack()))[kind]
            if kind == MessageType.RUNSPACEPOOL_STATE:
                self._opened = True
            if kind == MessageType.PIPELINE_STATE:
                ended = _ENDED.search(fragment.blob) is not None
            for piece in self._cutter.cut(fragment):
                channel.put("stdout", piece.pack())
            if ended and fragment.end:
                channel.finish(0)
                # The engine keeps a pipeline until it is told that it is done with.
                with contextlib.suppress(ProcessError):
                    self._process.post("Close", guid)

    def _complained(self) -> None:
        """A complaint while opening is the last that comes: the engine then hangs."""
        if not self._opened:
            self._process.kill()

    def _exited(self) -> None:
        self._dead = True
        if not self._closing:
            reason = self._process.complaint
            self._fail_all(WsmanFaultError.known(1726, reason, _PROVIDER))

    def _fail_all(self, fault: WsmanFaultError) -> None:
        for channel in (self._pool, *tuple(self._pipelines.values())):
            channel.fail(fault)

    def _gone(self, error: ProcessError) -> WsmanFaultError:
        if isinstance(error, NotAcknowledgedError):
            return WsmanFaultError.known(2150858793, str(error))
        return WsmanFaultError.known(1726, str(error), _PROVIDER)

    def _own_message(self, kind: MessageType, clixml: bytes) -> bytes:
        self._own_objects += 1
        return fragments.message(kind, self._pool_id, clixml, self._own_objects).pack()

    def _own_facts_first(self) -> list[etree._Element]:
        return [element("rsp:ProcessId", text=str(self._process.pid))]

    def _own_facts_last(self) -> list[etree._Element]:
        facts = {
            "MaxIdleTimeOut": f"PT{MAX_IDLE_TIMEOUT:.3f}S",
            "Locale": self.state.locale,
            "DataLocale": self.state.locale,
            "CompressionMode": "NoCompression",
            "ProfileLoaded": "Yes",
            "Encoding": "UTF8",
            "BufferMode": "Block",
            "State": "Connected" if self.state.connected else "Disconnected",
        }
        return [element(f"rsp:{name}", text=text) for name, text in facts.items()]


def _refuse_newer_protocol(request: Request, endpoint: Endpoint) -> None:
    asked = request.options.get("protocolversion", endpoint.protocol)
    newest = tuple(map(int, endpoint.protocol.split(".")))
    if tuple(map(int, asked.split("."))) > newest:
        raise WsmanFaultError.known(
            2152992672, f"The host speaks PSRP up to {endpoint.protocol}.", _PROVIDER
        )


def _guid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise WsmanFaultError.known(87, f"Not a command id: {text}.") from None


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except binascii.Error as error:
        raise WsmanFaultError.known(87, "The fragments are not base64.") from error

"""What a PSRP shell and a cmd shell have in common, and the channels they fill.

A channel is what a Receive empties: the output of one command, or of a PSRP runspace
pool. The process behind the shell fills it from a thread of its own.
"""

from __future__ import annotations

import abc
import base64
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from lxml import etree

from .soap import SHELL, Request, duration, element, seconds, text_of
from .wsman_fault import WsmanFaultError

CommandState = Literal["Running", "Done"]
# A Stream element costs its tags and attributes beside its base64.
_STREAM_OVERHEAD = 180
# How often a waiting Receive looks whether its client is still there.
_LOOK_SECONDS = 0.05
MAX_IDLE_TIMEOUT = 2147483.647


class ClientGoneError(Exception):
    """The client closed its connection while it waited; nothing was taken."""


@dataclass(frozen=True)
class Output:
    """What one Receive brings: (stream, data) in order, and how the command is."""

    parts: Sequence[tuple[str, bytes]]
    state: CommandState
    exit_code: int | None


Split = Callable[[bytes, int], tuple[bytes, bytes]]


def split_bytes(data: bytes, size: int) -> tuple[bytes, bytes]:
    """Cut anywhere: for text streams."""
    return data[:size], data[size:]


class Channel:
    """A queue of output with an end, or a fault instead of one.

    `split` cuts data that is larger than an answer has room for; without it such data
    ends in the fault that Windows has for it.
    """

    def __init__(self, split: Split | None = None) -> None:
        self._split = split
        self._parts: deque[tuple[str, bytes]] = deque()
        self._exit_code: int | None = None
        self._fault: WsmanFaultError | None = None
        self._done = False
        self._told = False
        self._changed = threading.Condition()

    @property
    def done(self) -> bool:
        """Whether the command has ended; output may be left to take."""
        return self._done

    @property
    def told(self) -> bool:
        """Whether a Receive has brought the end to the client."""
        return self._told

    def put(self, stream: str, data: bytes) -> None:
        with self._changed:
            self._parts.append((stream, data))
            self._changed.notify_all()

    def finish(self, exit_code: int) -> None:
        with self._changed:
            self._exit_code = exit_code
            self._done = True
            self._changed.notify_all()

    def fail(self, fault: WsmanFaultError) -> None:
        """Everything that was put may still be taken, then the fault comes."""
        with self._changed:
            self._fault = fault
            self._changed.notify_all()

    def take(self, size: int, seconds: float, gone: Callable[[], bool]) -> Output:
        """Wait for output and take at most about `size` bytes of it as sent.

        Raises: WsmanFaultError when the time is up, the shell failed, or the end has
        been told before;
        ClientGoneError when `gone`, asked now and then, says so first. What `gone`
        itself raises passes.
        """
        deadline = time.monotonic() + seconds
        with self._changed:
            if self._told:
                raise command_not_found()
            while not self._parts and not self._done:
                if self._fault is not None:
                    raise self._fault
                left = deadline - time.monotonic()
                if left <= 0:
                    raise WsmanFaultError.known(2150858793)
                self._changed.wait(min(left, _LOOK_SECONDS))
                if gone():
                    raise ClientGoneError
            return self._take(size)

    def _take(self, size: int) -> Output:
        parts: list[tuple[str, bytes]] = []
        left = size
        while self._parts:
            stream, data = self._parts[0]
            room = (left - _STREAM_OVERHEAD) * 3 // 4
            if len(data) > room:
                if parts:
                    break
                if self._split is None:
                    raise WsmanFaultError.known(2150858790)
                data, rest = self._split(data, room)
                self._parts[0] = (stream, rest)
            else:
                self._parts.popleft()
            parts.append((stream, data))
            left -= _STREAM_OVERHEAD + len(data) * 4 // 3
        done = self._told = self._done and not self._parts
        return Output(
            parts, "Done" if done else "Running", self._exit_code if done else None
        )


@dataclass
class ShellState:
    """The facts that a host tells about a shell."""

    shell_id: str
    resource_uri: str
    owner: str
    client_ip: str
    session_id: str
    idle_timeout: float
    locale: str
    input_streams: str
    output_streams: str
    connected: bool = True
    created: float = field(default_factory=time.monotonic)
    last_used: float = field(default_factory=time.monotonic)
    in_flight: int = 0

    @classmethod
    def of(
        cls, request: Request, shell_id: str, owner: str, client_ip: str, idle: float
    ) -> ShellState:
        """What a Create request asks for; `idle` seconds when it does not say."""
        asked = text_of(request.body, "rsp:Shell/rsp:IdleTimeOut")
        inputs = text_of(request.body, "rsp:Shell/rsp:InputStreams")
        outputs = text_of(request.body, "rsp:Shell/rsp:OutputStreams")
        return cls(
            shell_id=shell_id,
            resource_uri=request.resource_uri,
            owner=owner,
            client_ip=client_ip,
            session_id=request.session_id,
            idle_timeout=seconds(asked) if asked else idle,
            locale=request.locale,
            input_streams=inputs or "stdin",
            output_streams=outputs or "stdout stderr",
        )

    def idle_since(self, now: float) -> float:
        """Seconds without a request."""
        return 0.0 if self.in_flight else now - self.last_used


class Shell(abc.ABC):
    """A shell that a client created."""

    def __init__(self, state: ShellState) -> None:
        self.state = state

    @property
    def shell_id(self) -> str:
        return self.state.shell_id

    @property
    def is_alive(self) -> bool:
        """Whether the shell can still be used; its process may have crashed."""
        return True

    @property
    @abc.abstractmethod
    def process_ids(self) -> tuple[int, ...]:
        """The processes of this host that work for the shell."""

    @property
    @abc.abstractmethod
    def commands(self) -> Mapping[str, Channel]:
        """Commands by id: as on Windows, ended ones count until they are terminated."""

    @abc.abstractmethod
    def command(self, request: Request) -> str:
        """Start a command; its id."""

    @abc.abstractmethod
    def send(self, stream: str, command_id: str | None, data: bytes, end: bool) -> None:
        """Input for a command, or for the shell itself."""

    @abc.abstractmethod
    def channel(self, command_id: str | None) -> Channel:
        """The output of a command, or of the shell itself."""

    @abc.abstractmethod
    def signal(self, command_id: str | None, code: str) -> None: ...

    @abc.abstractmethod
    def reattach(self, request: Request) -> list[etree._Element]:
        """Take over a disconnected shell from another client; the answer's body."""

    @abc.abstractmethod
    def close(self) -> None:
        """End the processes; waiting Receives get a fault."""

    @abc.abstractmethod
    def kill(self) -> None:
        """Lose the processes without a word, as in a crash."""

    def describe(self, *, with_usage: bool = False) -> etree._Element:
        """The Shell element of Create, Get and Enumerate."""
        state = self.state
        now = time.monotonic()
        node = element(
            "rsp:Shell",
            element("rsp:ShellId", text=state.shell_id),
            element("rsp:ResourceUri", text=state.resource_uri),
            element("rsp:Owner", text=state.owner),
            element("rsp:ClientIP", text=state.client_ip),
            *self._own_facts_first(),
            element("rsp:IdleTimeOut", text=f"PT{state.idle_timeout:.3f}S"),
            element("rsp:InputStreams", text=state.input_streams),
            element("rsp:OutputStreams", text=state.output_streams),
            *self._own_facts_last(),
            element("rsp:ShellRunTime", text=duration(now - state.created)),
            element("rsp:ShellInactivity", text=duration(now - state.last_used)),
        )
        if with_usage:
            node.append(element("rsp:MemoryUsed", text="46MB"))
            node.append(element("rsp:ChildProcesses", text="0"))
        return node

    def _own_facts_first(self) -> list[etree._Element]:
        return []

    def _own_facts_last(self) -> list[etree._Element]:
        return []


def command_not_found() -> WsmanFaultError:
    return WsmanFaultError.known(
        2150858843, "There is no command of that id in the shell."
    )


def receive_answer(
    output: Output, command_id: str | None, ended: Sequence[str] = ()
) -> etree._Element:
    """The ReceiveResponse element; `ended` streams get their End mark."""
    owner = {"CommandId": command_id} if command_id else {}
    node = element("rsp:ReceiveResponse")
    for stream, data in output.parts:
        text = base64.b64encode(data).decode()
        attributes = {"Name": stream, **owner}
        node.append(element("rsp:Stream", text=text, attributes=attributes))
    for stream in ended:
        attributes = {"Name": stream, **owner, "End": "true"}
        node.append(element("rsp:Stream", attributes=attributes))
    if command_id:
        attributes = {**owner, "State": f"{SHELL}CommandState/{output.state}"}
        state = element("rsp:CommandState", attributes=attributes)
        if output.exit_code is not None:
            state.append(element("rsp:ExitCode", text=str(output.exit_code)))
        node.append(state)
    return node

"""One PowerShell process in server mode, spoken to packet by packet.

PowerShell's out-of-process framing is one XML element a line. It acknowledges each
packet, and works on packets concurrently: so whoever sends waits for the
acknowledgement, or the order within a pipeline would be lost.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import signal
import subprocess
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

Packet = Literal["Data", "Command", "Signal", "Close"]
POOL = uuid.UUID(int=0)
_LINE = re.compile(
    rb"<(?P<name>\w+)(?P<attributes>[^>]*?)(?:/>|>(?P<data>[^<]*)</\w+>)\s*$"
)
_GUID = re.compile(rb"PSGuid='([0-9A-Fa-f-]{36})'")
_CLOSE_SECONDS = 1.0


class ProcessError(Exception):
    """The process has ended, or complained instead of working."""


class NotAcknowledgedError(ProcessError):
    """The process lives but did not acknowledge in time."""


class PowerShellProcess:
    """A `pwsh -s` of its own process group.

    `on_data(guid, data)` is called from the reading thread for every Data packet,
    `on_exit()` once when the process has closed its output, `on_complaint()` whenever
    it writes to standard error: one that cannot read its configuration file says so
    there and then hangs.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        on_data: Callable[[uuid.UUID, bytes], None],
        on_exit: Callable[[], None],
        on_complaint: Callable[[], None],
    ) -> None:
        self._on_data = on_data
        self._on_exit = on_exit
        self._on_complaint = on_complaint
        self._writing = threading.Lock()
        self._acknowledged: Counter[tuple[str, uuid.UUID]] = Counter()
        self._changed = threading.Condition()
        self._ended = False
        self._complaint = b""
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        self._threads = [
            threading.Thread(target=self._read_packets, name="psrp-out", daemon=True),
            threading.Thread(target=self._read_errors, name="psrp-err", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def complaint(self) -> str:
        """What it wrote to standard error."""
        return self._complaint.decode(errors="replace").strip()

    def send(
        self,
        packet: Packet,
        guid: uuid.UUID,
        data: bytes = b"",
        *,
        stream: str = "Default",
        seconds: float,
    ) -> None:
        """Write a packet and wait for its acknowledgement.

        Raises: ProcessError when the process ends first, NotAcknowledgedError when
        `seconds` have passed.
        """
        key = (f"{packet}Ack", guid)
        with self._changed:
            wanted = self._acknowledged[key] + 1
        self.post(packet, guid, data, stream=stream)
        with self._changed:

            def settled() -> bool:
                return self._acknowledged[key] >= wanted or self._ended

            self._changed.wait_for(settled, seconds)
            if self._acknowledged[key] >= wanted:
                return
            if self._ended:
                raise ProcessError(self.complaint or "the process has ended")
            raise NotAcknowledgedError(f"no {packet}Ack came")

    def post(
        self,
        packet: Packet,
        guid: uuid.UUID,
        data: bytes = b"",
        *,
        stream: str = "Default",
    ) -> None:
        """Write a packet without waiting."""
        if packet == "Data":
            text = base64.b64encode(data).decode()
            line = f"<Data Stream='{stream}' PSGuid='{guid}'>{text}</Data>\n"
        else:
            line = f"<{packet} PSGuid='{guid}' />\n"
        assert self._process.stdin is not None
        try:
            with self._writing:
                self._process.stdin.write(line.encode())
                self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise ProcessError("the process is gone") from error

    def close(self) -> None:
        """Ask it to end, then make it."""
        with contextlib.suppress(ProcessError):
            self.post("Close", POOL)
        assert self._process.stdin is not None
        with contextlib.suppress(OSError), self._writing:
            self._process.stdin.close()
        try:
            self._process.wait(_CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process.wait()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(_CLOSE_SECONDS)
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def kill(self) -> None:
        """End the process and what it started, at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _read_packets(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError):
            for line in self._process.stdout:
                self._read_packet(line)
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._on_exit()

    def _read_packet(self, line: bytes) -> None:
        match = _LINE.match(line)
        guid = _GUID.search(match["attributes"]) if match else None
        if match is None or guid is None:
            return
        owner = uuid.UUID(guid[1].decode())
        name = match["name"].decode()
        if name == "Data":
            self._on_data(owner, base64.b64decode(match["data"] or b""))
            return
        with self._changed:
            self._acknowledged[(name, owner)] += 1
            self._changed.notify_all()

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        with contextlib.suppress(ValueError):
            for line in self._process.stderr:
                self._complaint += line
                self._on_complaint()

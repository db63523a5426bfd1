"""What is sent to an out-of-process host: for each target one packet at a time.

A PowerShell host works on its packets in parallel, so the next one for a target is
sent when the one before is acknowledged, never earlier: it would be overtaken.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from .packets import Packet, render

if TYPE_CHECKING:
    from .psrp import Outgoing

_Target = uuid.UUID | None


class Outbox:
    """Packets that wait for the acknowledgement of those before them.

    Not thread-safe: the session guards it.

    :param write: sends bytes without waiting.
    """

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._waiting: dict[_Target, deque[bytes]] = {None: deque()}
        self._unacknowledged: set[_Target] = set()

    def create(self, pipeline: uuid.UUID) -> None:
        """Create a pipeline, which its data wait for."""
        self._waiting[pipeline] = deque()
        self._unacknowledged.add(pipeline)
        self._write(render(Packet("Command", pipeline)))

    def data(self, piece: Outgoing) -> None:
        """Send data; what is for a pipeline that is over is dropped."""
        if piece.target in self._waiting:
            packet = Packet("Data", piece.target, piece.data)
            self._waiting[piece.target].append(render(packet, prompt=piece.prompt))
            self._next(piece.target)

    def acknowledged(self, target: _Target) -> None:
        """The host has the last packet."""
        self._unacknowledged.discard(target)
        self._next(target)

    def signal(self, pipeline: uuid.UUID) -> None:
        """Stop a pipeline, without waiting for anything."""
        self._write(render(Packet("Signal", pipeline)))

    def close(self, target: _Target) -> None:
        """Say that a pipeline, or the pool, is done with."""
        self._waiting.pop(target, None)
        self._unacknowledged.discard(target)
        self._write(render(Packet("Close", target)))

    def _next(self, target: _Target) -> None:
        waiting = self._waiting.get(target)
        if waiting and target not in self._unacknowledged:
            self._unacknowledged.add(target)
            self._write(waiting.popleft())


__all__ = ["Outbox"]

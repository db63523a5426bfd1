"""What is sent to a WSMan host: in order, and in pieces that it takes.

The first piece for a pipeline creates it, with a Command; what follows is sent. PSRP's
fragments are small here, and as many as fit travel together: how many, a host may say
after the fact, by refusing a request that is longer than its envelope.
"""

from __future__ import annotations

import uuid
from collections import deque

from ..errors import TransportError
from .psrp import Outgoing
from .wsman_faults import Fault
from .wsman_shell import Shell

#: Bytes of one PSRP fragment: so small that it fits wherever anything does.
FRAGMENT = 8 * 1024
#: The longest request that a host takes, where it did not say otherwise; and the
#: longest that every host takes.
_USUAL_ENVELOPE, _LEAST_ENVELOPE = 150 * 1024, 16 * 1024
#: What is around fragments in a request: headers, signatures, boundaries.
_AROUND = 4096


class Sender:
    """Sends what a client has to say.

    :param seconds: how long each request may take.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._envelope = _USUAL_ENVELOPE
        self._new: set[uuid.UUID] = set()

    def announce(self, pipeline: uuid.UUID) -> None:
        """Have the first piece for a pipeline create it."""
        self._new.add(pipeline)

    def forget(self, pipeline: uuid.UUID) -> bool:
        """Create a pipeline no more; whether the host may know it already."""
        known = pipeline not in self._new
        self._new.discard(pipeline)
        return known

    def send(self, shell: Shell, pieces: deque[Outgoing]) -> None:
        """Send all of them; those that are left in ``pieces`` were not sent.

        :raises Fault: the host refuses one.
        :raises TransportError: it cannot be sent.
        """
        while pieces:
            self._send_some(shell, pieces)

    def _send_some(self, shell: Shell, pieces: deque[Outgoing]) -> None:
        """Send as many of the next pieces as belong together and fit."""
        batch = self._batch(pieces)
        data = b"".join(piece.data for piece in batch)
        created = batch[0].target in self._new
        try:
            self._send(shell, batch[0], data)
        except TransportError as error:
            if error.id != "ErrorMessageTooLarge" or len(batch) == 1:
                raise
            # It was not taken, so it may come again, in smaller pieces.
            if created and batch[0].target is not None:
                self._new.add(batch[0].target)
            told = shell.max_envelope(self._seconds) or _LEAST_ENVELOPE
            self._envelope = min(told, self._envelope // 2)
            return
        for _ in batch:
            pieces.popleft()

    def _batch(self, pieces: deque[Outgoing]) -> list[Outgoing]:
        room = (self._envelope - _AROUND) * 3 // 4
        batch: list[Outgoing] = []
        for piece in pieces:
            room -= len(piece.data)
            first = batch[0] if batch else piece
            together = (piece.target, piece.prompt) == (first.target, first.prompt)
            if batch and (room < 0 or not together):
                break
            batch.append(piece)
        return batch

    def _send(self, shell: Shell, piece: Outgoing, data: bytes) -> None:
        pipeline = piece.target
        target = None if pipeline is None else str(pipeline).upper()
        if target is not None and pipeline in self._new:
            # From now on the host may know it.
            self._new.discard(pipeline)
            try:
                shell.command(target, data, self._seconds)
            except Fault:
                self._new.add(pipeline)
                raise
            return
        try:
            shell.send(target, data, self._seconds, prompt=piece.prompt)
        except Fault:
            if not piece.prompt:  # whoever asked has gone, then
                raise


__all__ = ["FRAGMENT", "Sender"]

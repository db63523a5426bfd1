"""PSRP fragments, as far as a WSMan server has to understand them.

It hands them through, but it must see when a pipeline has ended (WS-Management has
its own word for that), what the runspace pool said when it opened (a client that
takes the pool over is told again), and it must cut them to the client's envelope.
"""

from __future__ import annotations

import struct
import uuid
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum

_HEADER = struct.Struct(">QQBI")
_MESSAGE_HEADER = struct.Struct("<II16s16s")
_START, _END = 1, 2
_TO_CLIENT = 1


class MessageType(IntEnum):
    """The PSRP messages that the server looks at."""

    SESSION_CAPABILITY = 0x00010002
    INIT_RUNSPACEPOOL = 0x00010004
    RUNSPACEPOOL_INIT_DATA = 0x0002100B
    RUNSPACEPOOL_STATE = 0x00021005
    APPLICATION_PRIVATE_DATA = 0x00021009
    PIPELINE_STATE = 0x00041006


@dataclass(frozen=True)
class Fragment:
    """A piece of a PSRP message."""

    object_id: int
    fragment_id: int
    start: bool
    end: bool
    blob: bytes

    @property
    def message_type(self) -> int | None:
        """The type of the message that starts here."""
        if not self.start or len(self.blob) < _MESSAGE_HEADER.size:
            return None
        return int(_MESSAGE_HEADER.unpack_from(self.blob)[1])

    def pack(self) -> bytes:
        flags = _START * self.start | _END * self.end
        head = _HEADER.pack(self.object_id, self.fragment_id, flags, len(self.blob))
        return head + self.blob


def parse(data: bytes) -> Iterator[Fragment]:
    """The fragments that follow one another in `data`."""
    position = 0
    while position + _HEADER.size <= len(data):
        object_id, fragment_id, flags, size = _HEADER.unpack_from(data, position)
        position += _HEADER.size
        blob = data[position : position + size]
        position += size
        yield Fragment(
            object_id, fragment_id, bool(flags & _START), bool(flags & _END), blob
        )


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and CLIXML of the whole messages in `data`."""
    blob = b""
    for fragment in parse(data):
        blob = fragment.blob if fragment.start else blob + fragment.blob
        if fragment.end:
            kind = _MESSAGE_HEADER.unpack_from(blob)[1]
            yield kind, blob[_MESSAGE_HEADER.size :]


def message(
    kind: MessageType, pool: uuid.UUID, clixml: bytes, object_id: int
) -> Fragment:
    """A message to the client about the runspace pool, in one fragment."""
    head = _MESSAGE_HEADER.pack(_TO_CLIENT, kind, pool.bytes_le, bytes(16))
    return Fragment(object_id, 0, True, True, head + clixml)


class Cutter:
    """Cuts fragments to a size and numbers them anew, message by message."""

    def __init__(self, size: int) -> None:
        self._size = max(size - _HEADER.size, 1)
        self._next: defaultdict[int, int] = defaultdict(int)

    def cut(self, fragment: Fragment) -> Iterator[Fragment]:
        pieces = [
            fragment.blob[start : start + self._size]
            for start in range(0, len(fragment.blob), self._size)
        ] or [b""]
        for index, blob in enumerate(pieces):
            last = index == len(pieces) - 1
            number = self._next[fragment.object_id]
            self._next[fragment.object_id] += 1
            yield replace(
                fragment,
                fragment_id=number,
                start=fragment.start and index == 0,
                end=fragment.end and last,
                blob=blob,
            )
        if fragment.end:
            del self._next[fragment.object_id]

"""Fragments, in which PSRP's messages travel: cutting is psrpcore's, joining is here.

A host may send them in any number and size, so what is kept of a message is bounded.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from ..errors import TransportError

#: The largest message taken, in bytes. A catalogue comes in many, this is for one.
MAX_MESSAGE = 128 * 1024 * 1024

#: Object, number of the fragment in it, flags, length; then the data.
_HEADER = struct.Struct(">QQBI")
_START, _END = 1, 2


class Reassembly:
    """Fragments to messages, for one target; they come in order, one after another."""

    __slots__ = ("_buffer", "_expected", "_message", "_needed", "_object")

    def __init__(self) -> None:
        #: The beginning of a fragment, and how long it must be to be looked at.
        self._buffer = bytearray()
        self._needed = 0
        self._message: bytearray | None = None
        self._object = self._expected = 0

    def feed(self, data: bytes) -> Iterator[bytes | bytearray]:
        """Yield the messages that ``data`` completes.

        :raises TransportError: the fragments make no message, or too large a one.
        """
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._needed:
                return
            data = bytes(self._buffer)
            self._buffer.clear()
        at = 0
        self._needed = _HEADER.size
        while len(data) - at >= _HEADER.size:
            object_id, number, flags, length = _HEADER.unpack_from(data, at)
            begun = 0 if self._message is None else len(self._message)
            if begun + length > MAX_MESSAGE:
                raise TransportError(
                    f"the host sent a message of more than {MAX_MESSAGE:,} bytes",
                    id="ErrorMessageTooLarge",
                    phase="run",
                    hint="ask for fewer commands or types at a time",
                )
            end = at + _HEADER.size + length
            if len(data) < end:
                self._needed = end - at
                break
            piece = data[at + _HEADER.size : end]
            whole = self._take(object_id, number, flags, piece)
            if whole is not None:
                yield whole
            at = end
        self._buffer += data[at:]

    def _take(
        self, object_id: int, number: int, flags: int, data: bytes
    ) -> bytes | bytearray | None:
        if bool(flags & _START) != (number == 0):
            raise violation("a fragment that is a beginning and not the first")
        if number == 0:
            if self._message is not None:
                raise violation("a message that begins inside another")
            if flags & _END:
                return data
            self._message = bytearray()
        elif (
            self._message is None
            or number != self._expected
            or object_id != self._object
        ):
            raise violation("fragments that are not in order")
        assert self._message is not None
        self._message += data
        self._object, self._expected = object_id, number + 1
        if not flags & _END:
            return None
        whole, self._message = self._message, None
        return whole


def whole(message: bytes | bytearray) -> bytes:
    """A message as one fragment."""
    return _HEADER.pack(0, 0, _START | _END, len(message)) + message


def violation(what: str) -> TransportError:
    """The error for a host that does not speak the protocol."""
    return TransportError(
        f"what the host sent is not PowerShell remoting: {what}",
        id="ErrorSessionProtocol",
        phase="run",
        hint="check that the session leads to a PowerShell endpoint, and try again",
    )


__all__ = ["MAX_MESSAGE", "Reassembly", "violation", "whole"]

"""Seeing that nothing was lost with a connection.

A host numbers the objects that it says, from one on, whichever pipeline they belong to.
What it said to a connection that broke, it does not say again; and it is a gap then.
"""

from __future__ import annotations

import struct

#: Object, number of the fragment in it, flags, length.
_HEADER = struct.Struct(">QQBI")


class Continuity:
    """Follows the numbers of what a host says, over all of its streams."""

    def __init__(self) -> None:
        #: The number that came last; ``None`` where nobody knows.
        self._last: int | None = 0

    def heard(self, data: bytes) -> None:
        """Take note of fragments that came."""
        at, last = 0, self._last
        while at + _HEADER.size <= len(data):
            last, _, _, length = _HEADER.unpack_from(data, at)
            at += _HEADER.size + length
        self._last = last if at == len(data) else None

    def follows(self, data: bytes) -> bool:
        """Whether fragments are certainly the next, where one stream is open alone."""
        if self._last is None or len(data) < _HEADER.size:
            return False
        number, fragment, _, _ = _HEADER.unpack_from(data)
        return bool(number == self._last + (fragment == 0))


__all__ = ["Continuity"]

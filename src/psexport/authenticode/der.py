"""A strict reader of DER, for octets that no signature protects.

A tolerant reader takes many encodings for one value, skips what it does not know, and
so accepts a signature that somebody has changed. This one takes what it is told to
expect, in its one encoding, and refuses the rest.
"""

from __future__ import annotations

from collections.abc import Iterator

from asn1crypto import core

INTEGER = 0x02
OCTET_STRING = 0x04
OBJECT_IDENTIFIER = 0x06
SEQUENCE = 0x30
SET = 0x31


class MalformedError(ValueError):
    """The bytes are not what they should be."""


class Reader:
    """Takes values off the front of some octets.

    All methods raise :class:`MalformedError` for anything that is not expected.
    """

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    @property
    def tag(self) -> int | None:
        """The tag of the next value; ``None`` at the end."""
        return self._octets[self._at] if self._at < len(self._octets) else None

    def _value(self) -> tuple[bytes, bytes]:
        """Take the next value: its contents, and all of it."""
        octets, start = self._octets, self._at
        if start + 2 > len(octets):
            raise MalformedError("it is cut off")
        at, length = start + 2, octets[start + 1]
        if length >= 0x80:
            at += length - 0x80
            encoded = octets[start + 2 : at]
            length = int.from_bytes(encoded, "big")
            if not encoded or encoded[0] == 0 or length < 0x80:
                raise MalformedError("a length is not in DER")
        if at + length > len(octets):
            raise MalformedError("it is cut off")
        self._at = at + length
        return octets[at : self._at], octets[start : self._at]

    def _expect(self, tag: int) -> None:
        if self.tag != tag:
            found = "nothing" if self.tag is None else f"{self.tag:#04x}"
            raise MalformedError(f"{tag:#04x} expected, {found} found")

    def take(self, tag: int) -> bytes:
        """Take a value of this tag; return its contents."""
        self._expect(tag)
        return self._value()[0]

    def encoded(self, tag: int | None = None) -> bytes:
        """Take a value, of this tag if one is given; return all of it."""
        if tag is not None:
            self._expect(tag)
        return self._value()[1]

    def open(self, tag: int) -> Reader:
        """Take a value of this tag; return a reader of its contents."""
        return Reader(self.take(tag))

    def oid(self) -> str:
        """Take an object identifier; return it in dotted form."""
        encoded = self.encoded(OBJECT_IDENTIFIER)
        try:
            dotted: str = core.ObjectIdentifier.load(encoded, strict=True).dotted
            canonical = core.ObjectIdentifier(dotted).dump() == encoded
        except (ValueError, IndexError):
            canonical = False
        if not canonical:
            raise MalformedError("an object identifier is malformed")
        return dotted

    def integer(self) -> int:
        """Take an integer."""
        octets = self.take(INTEGER)
        value = int.from_bytes(octets, "big", signed=True)
        shortest = max(1, (value + (value < 0)).bit_length() // 8 + 1)
        if len(octets) != shortest:
            raise MalformedError("an integer is not in DER")
        return value

    def rest(self) -> Iterator[Reader]:
        """Yield a reader for each of the values that are left."""
        while self.tag is not None:
            yield Reader(self.encoded())

    def end(self) -> None:
        """Check that nothing is left."""
        if self.tag is not None:
            raise MalformedError("there is more than there should be")

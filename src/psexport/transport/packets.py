"""The lines of the out-of-process protocol: one packet each, an XML element.

They are read with one regular expression for the head and a slice for the data, not
as XML: a catalogue is some hundred lines of 44 KiB.
"""

from __future__ import annotations

import binascii
import re
import uuid
from typing import NamedTuple

from .fragments import violation
from .process import printable

_POOL = uuid.UUID(int=0)
_KINDS = rb"Data|DataAck|CommandAck|SignalAck|CloseAck|Command|Signal|Close"
_HEAD = re.compile(rb"<(%s)((?: +\w+=(?:'[^']*'|\"[^\"]*\"))*) *(/?)>" % _KINDS)
_GUID = re.compile(rb"PSGuid=['\"]([0-9a-fA-F-]{36})['\"]")
_DATA_END = b"</Data>"


class Packet(NamedTuple):
    """One line of the out-of-process protocol.

    :ivar kind: name of the element.
    :ivar target: the pipeline that it is about, ``None`` for the pool.
    :ivar data: fragments, of a Data packet.
    """

    kind: str
    target: uuid.UUID | None
    data: bytes = b""


def parse(line: bytes) -> Packet:
    """Read a line.

    :raises TransportError: it is no packet (id ``ErrorSessionProtocol``).
    """
    head = _HEAD.match(line)
    guid = _GUID.search(head[2]) if head else None
    if head is None or guid is None:
        raise violation(f"the line {printable(line[:80])!r}")
    try:
        target = uuid.UUID(guid[1].decode())
        data = b""
        rest = line[head.end() :].rstrip()
        if head[1] == b"Data" and not head[3]:
            if not rest.endswith(_DATA_END):
                raise ValueError
            data = binascii.a2b_base64(rest[: -len(_DATA_END)], strict_mode=True)
        elif rest and not (rest.startswith(b"</") and not head[3]):
            raise ValueError
    except ValueError:  # binascii.Error is one
        raise violation(f"the packet {printable(line[:80])!r}") from None
    return Packet(head[1].decode(), target if target.int else None, data)


def render(packet: Packet, *, prompt: bool = False) -> bytes:
    """Write a packet as a line.

    :param prompt: its data answers a host call.
    """
    target = packet.target or _POOL
    if packet.kind != "Data":
        return b"<%s PSGuid='%s' />\n" % (packet.kind.encode(), str(target).encode())
    return b"<Data Stream='%s' PSGuid='%s'>%s</Data>\n" % (
        b"PromptResponse" if prompt else b"Default",
        str(target).encode(),
        binascii.b2a_base64(packet.data, newline=False),
    )


def start(line: bytes) -> int | None:
    """Where in a line a packet begins, after what else may stand there."""
    head = _HEAD.search(line)
    return head.start() if head else None


__all__ = ["Packet", "parse", "render", "start"]

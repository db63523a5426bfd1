"""The file of a recorded host: gzip, one JSON object a line.

The first line describes the file. Every other line is a message of the session, with
its PSRP type, its pipeline and its CLIXML, or a packet of the transport that carries
none (``frame``), which is of no interest here.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ..errors import PSExportError
from .messages import MessageType

VERSION = 1

#: The longest line taken, in bytes.
_MAX_LINE = 256 * 1024 * 1024


class Line(NamedTuple):
    """A message of a recording.

    :ivar number: of the line, from 1.
    :ivar pipeline: the pipeline that it is about, "" for the pool.
    """

    number: int
    from_client: bool
    type: MessageType
    pipeline: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """What the first line says of the file."""

    host: str
    runspace_id: str


def read_header(path: Path) -> Header:
    """Read the first line.

    :raises PSExportError: it is no recording (id ``ErrorRecordingUnreadable``).
    """
    for number, raw in _raw_lines(path):
        said = _object(path, number, raw)
        if said.get("recording") != VERSION:
            raise unreadable(path, "it is not a recording of version 1", number)
        return Header(str(said.get("host", "")), str(said.get("runspace_id", "")))
    raise unreadable(path, "it is empty")


def read(path: Path, pipeline: str | None = None) -> Iterator[Line]:
    """Yield the messages, one by one as they are read.

    :param pipeline: yield those of this one only, which is faster.
    :raises PSExportError: a line makes no sense, or the file is cut
        (id ``ErrorRecordingUnreadable``).
    """
    needle = None if pipeline is None else pipeline.encode()
    for number, raw in _raw_lines(path):
        if number == 1 or (needle is not None and needle not in raw):
            continue
        said = _object(path, number, raw)
        side = said.get("from")
        if side not in ("client", "server"):
            raise unreadable(path, "neither client nor server said this", number)
        if "frame" in said:
            continue
        of = said.get("pipeline") or ""
        data = said.get("data")
        try:
            type = MessageType[said.get("type", "")]
        except (KeyError, TypeError):
            raise unreadable(path, "an unknown kind of line", number) from None
        if not isinstance(data, str) or not isinstance(of, str):
            raise unreadable(path, "a message without data", number)
        if pipeline in (None, of):
            encoded = data.encode("utf-8", "replace")
            yield Line(number, side == "client", type, of, encoded)


class Sink(Protocol):
    """Where a recording is written to."""

    def write(self, data: bytes, /) -> object:
        """Take bytes."""


def write_header(file: Sink, host: str, note: str, runspace_id: str) -> None:
    """Write the first line."""
    header = {"recording": VERSION, "host": host, "note": note}
    if runspace_id:
        header["runspace_id"] = runspace_id
    _write(file, header)


def write(
    file: Sink, *, from_client: bool, type: MessageType, pipeline: str, data: bytes
) -> None:
    """Write a message.

    :raises UnicodeDecodeError: the data is not UTF-8, so it is not CLIXML.
    """
    _write(
        file,
        {
            "from": "client" if from_client else "server",
            "type": type.name,
            "pipeline": pipeline or None,
            "data": data.decode(),
        },
    )


def unreadable(path: Path, why: str, line: int | None = None) -> PSExportError:
    """The error for a recording that cannot be used."""
    where = "" if line is None else f" (line {line})"
    return PSExportError(
        f"the recording cannot be read: {why}{where}",
        id="ErrorRecordingUnreadable",
        target=str(path),
        hint="record the host again, or get the file anew",
    )


def _write(file: Sink, value: dict[str, Any]) -> None:
    file.write(json.dumps(value, ensure_ascii=False).encode() + b"\n")


def _raw_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    number = 0
    try:
        with gzip.open(path, "rb") as file:
            while line := file.readline(_MAX_LINE):
                number += 1
                if not line.endswith(b"\n"):
                    why = "it is cut" if len(line) < _MAX_LINE else "it is too long"
                    raise unreadable(path, why, number)
                yield number, line
    except (gzip.BadGzipFile, zlib.error):
        raise unreadable(path, "it is not gzip", number or None) from None
    except EOFError:
        raise unreadable(path, "it is cut", number + 1) from None
    except OSError as error:
        raise unreadable(path, error.strerror or str(error)) from error


def _object(path: Path, number: int, raw: bytes) -> dict[str, Any]:
    try:
        said = json.loads(raw)
    except (ValueError, RecursionError):
        raise unreadable(path, "it is not JSON", number) from None
    if not isinstance(said, dict):
        raise unreadable(path, "it is no JSON object", number)
    return said


__all__ = [
    "Header",
    "Line",
    "Sink",
    "read",
    "read_header",
    "unreadable",
    "write",
    "write_header",
]

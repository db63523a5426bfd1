"""The envelope of the compact road's answer: pieces in, records out.

Theory of operation. The host answers with byte arrays. Each is gzip, with gzip's own
checksum, around JSON: ``{"psexport": 1, "piece": N, "records": [...]}``. Pieces count
from 0, and the record ``end`` is the last of the last one and tells how many of each
kind there were; so what is damaged, lost, doubled or out of order is noticed. A record
is a list that starts with its kind.

The host is as little trusted here as elsewhere. Sizes are bounded before they cost
anything. A piece that is not what it should be costs the whole answer, for nobody can
know what is missing then.
"""

from __future__ import annotations

import binascii
import json
import re
import zlib
from typing import Any

from .. import clixml
from ..clixml import MalformedError
from ..errors import RemoteError

#: The version of the format that is read here.
VERSION = 1

#: Bytes of one piece before compression; the script ends a piece at a quarter of
#: this at most, unless a single record is longer.
MAX_PIECE = 16 * 1024 * 1024
#: Brackets and commas of one piece: small ones could unfold into gigabytes.
MAX_VALUES = 2_000_000
#: Bytes of the whole answer before compression; 10,000 commands are 20 MB.
MAX_ANSWER = 512 * 1024 * 1024

#: JSON as the script writes it, with control characters as they are.
_DECODER = json.JSONDecoder(strict=False)
#: What may be half of a surrogate pair. The script never writes characters so.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class Pieces:
    """Opens pieces, in the order in which they must come."""

    def __init__(self) -> None:
        self._count = 0
        self._size = 0

    def open(self, data: bytes) -> list[Any]:
        """The records of the next piece.

        :param data: the CLIXML document of a byte array.
        :raises RemoteError: it is not the next piece
            (``ErrorMalformedDataFromRemoteCommand``).
        """
        piece = _unpack(data)
        self._size += len(piece)
        if self._size > MAX_ANSWER:
            raise broken(f"is more than {MAX_ANSWER:,} bytes long")
        try:
            told = _decoded(piece.decode("utf-8"))
            version, number, records = told["psexport"], told["piece"], told["records"]
        except (TypeError, ValueError, LookupError, RecursionError) as error:
            raise broken(f"has a piece that cannot be read ({error})") from None
        if version != VERSION or type(records) is not list:
            raise broken(f"is of version {str(version)[:20]}, not {VERSION}")
        if number != self._count:
            raise broken(f"has piece {str(number)[:20]} where {self._count} should be")
        self._count += 1
        return records


def broken(how: str) -> RemoteError:
    """The error for an answer that cannot be believed; ``how`` ends its sentence."""
    return RemoteError(
        f"the host's answer {how}",
        id="ErrorMalformedDataFromRemoteCommand",
        hint="try again; if it stays, the connection is damaged or the host lies",
    )


def _decoded(text: str) -> Any:
    """The value of JSON; every text in it can be written to a file."""
    told = _DECODER.decode(text)
    if _SURROGATE.search(text):
        again = json.dumps(told, ensure_ascii=False).encode("utf-8", "replace")
        told = _DECODER.decode(again.decode("utf-8"))
    return told


def _unpack(data: bytes) -> bytes:
    """The JSON of a piece, checked for damage and size before it is unpacked."""
    try:
        packed = binascii.a2b_base64(
            clixml.text(clixml.parse(data).root), strict_mode=True
        )
        inflater = zlib.decompressobj(wbits=31)
        piece = inflater.decompress(packed, MAX_PIECE)
    except (ValueError, zlib.error, MalformedError) as error:
        raise broken(f"has a piece that is damaged ({error})") from None
    if inflater.unconsumed_tail:
        raise broken(f"has a piece of more than {MAX_PIECE:,} bytes")
    if not inflater.eof or inflater.unused_data:
        raise broken("has a piece that is cut off, or goes on after its end")
    if sum(map(piece.count, (b"[", b"{", b","))) > MAX_VALUES:
        raise broken(f"has a piece of more than {MAX_VALUES:,} values")
    return piece


__all__ = ["VERSION", "Pieces", "broken"]

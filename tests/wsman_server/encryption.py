"""WinRM message encryption: a SOAP envelope sealed inside a multipart body.

Each part is a pair of sections: one that names the protocol and the length of the
plain text, one with four bytes of signature length, the signature, the cipher text.
"""

from __future__ import annotations

import re
import struct
from typing import Protocol

BOUNDARY = b"--Encrypted Boundary"
_OCTETS = b"\tContent-Type: application/octet-stream\r\n"
# CredSSP seals with TLS records, which hold no more than this.
_LARGEST_TLS_RECORD = 16384


class DecryptionError(Exception):
    """The body does not decrypt with the context of its connection."""


class _Sealed(Protocol):
    @property
    def header(self) -> bytes: ...
    @property
    def data(self) -> bytes: ...
    @property
    def padding_length(self) -> int: ...


class SealingContext(Protocol):
    """The part of a security context that message encryption needs."""

    def wrap_winrm(self, data: bytes) -> _Sealed: ...
    def unwrap_winrm(self, header: bytes, data: bytes) -> bytes: ...


def protocol_of(content_type: str) -> str | None:
    """The session protocol that an encrypted body was sealed for, else None."""
    if not re.match(r"multipart/(x-multi-)?encrypted\b", content_type, re.IGNORECASE):
        return None
    named = re.search(r'protocol="?([^";]+)"?', content_type)
    return named.group(1) if named else ""


def unseal(context: SealingContext, body: bytes) -> bytes:
    """The plain text of an encrypted body."""
    sections = re.split(rb"--\s*Encrypted Boundary(?:--)?\r\n", body)
    # The text before the first and after the last boundary is empty.
    inner = sections[1:-1]
    if not inner or len(inner) % 2:
        raise DecryptionError("not pairs of sections")
    plain = b""
    for description, content in zip(inner[::2], inner[1::2], strict=True):
        length = re.search(rb"Length=(\d+)", description)
        if length is None or not content.startswith(_OCTETS):
            raise DecryptionError("a section lacks its header")
        sealed = content[len(_OCTETS) :]
        (split,) = struct.unpack_from("<i", sealed)
        try:
            part = context.unwrap_winrm(sealed[4 : 4 + split], sealed[4 + split :])
        except Exception as error:  # pyspnego, gssapi and ssl each have their own
            raise DecryptionError(str(error)) from error
        plain += part
    return plain


def seal(context: SealingContext, protocol: str, plain: bytes) -> tuple[str, bytes]:
    """Content type and body of an encrypted answer."""
    size = len(plain) or 1
    if "CredSSP" in protocol:
        size = _LARGEST_TLS_RECORD
    parts = [plain[start : start + size] for start in range(0, len(plain), size)]
    kind = "multipart/x-multi-encrypted" if len(parts) > 1 else "multipart/encrypted"
    body = b"".join(_seal_part(context, protocol, part) for part in parts)
    content_type = f'{kind};protocol="{protocol}";boundary="Encrypted Boundary"'
    return content_type, body + BOUNDARY + b"--\r\n"


def _seal_part(context: SealingContext, protocol: str, plain: bytes) -> bytes:
    sealed = context.wrap_winrm(plain)
    length = len(plain) + sealed.padding_length
    description = (
        f"\tContent-Type: {protocol}\r\n"
        "\tOriginalContent: type=application/soap+xml;charset=UTF-8;"
        f"Length={length}\r\n"
    ).encode()
    signed = struct.pack("<i", len(sealed.header)) + sealed.header + sealed.data
    return b"\r\n".join([BOUNDARY, description[:-2], BOUNDARY, _OCTETS + signed])

"""Microsoft's ASN.1: what an Authenticode signature says about a PowerShell text.

These are declarations for :mod:`asn1crypto` and the two values built from them. What
signs them is in :mod:`.cms`.
"""

from __future__ import annotations

from typing import ClassVar

from asn1crypto import algos, core

from .algorithms import HASHES_BY_OID, Hash

INDIRECT_DATA = "1.3.6.1.4.1.311.2.1.4"
SIP_INFO = "1.3.6.1.4.1.311.2.1.30"
STATEMENT_TYPE = "1.3.6.1.4.1.311.2.1.11"
INDIVIDUAL_PURPOSE = "1.3.6.1.4.1.311.2.1.21"
OPUS_INFO = "1.3.6.1.4.1.311.2.1.12"

#: The subject interface package that hashes PowerShell's text files, as stored.
POWERSHELL_SIP = bytes.fromhex("1FCC3B60594B084EB724D2C6297EF351")


class SpcSipInfo(core.Sequence):  # type: ignore[misc]
    """Which subject interface package computed the digest."""

    _fields: ClassVar = [
        ("version", core.Integer),
        ("guid", core.OctetString),
        *((f"reserved{number}", core.Integer) for number in range(1, 6)),
    ]


class SpcAttribute(core.Sequence):  # type: ignore[misc]
    """SpcAttributeTypeAndOptionalValue, where the value is a SIP's."""

    _fields: ClassVar = [("type", core.ObjectIdentifier), ("value", SpcSipInfo)]


class SpcIndirectDataContent(core.Sequence):  # type: ignore[misc]
    """What is signed: the digest of a file that is not in the message."""

    _fields: ClassVar = [("data", SpcAttribute), ("message_digest", algos.DigestInfo)]


class SpcString(core.Choice):  # type: ignore[misc]
    """A string in one of two encodings."""

    _alternatives: ClassVar = [
        ("unicode", core.BMPString, {"implicit": 0}),
        ("ascii", core.IA5String, {"implicit": 1}),
    ]


class SpcLink(core.Choice):  # type: ignore[misc]
    """A link; of its three forms we write the URL."""

    _alternatives: ClassVar = [
        ("url", core.IA5String, {"implicit": 0}),
        ("moniker", core.Any, {"implicit": 1}),
        ("file", SpcString, {"explicit": 2}),
    ]


class SpcSpOpusInfo(core.Sequence):  # type: ignore[misc]
    """Name and address of what is signed. PowerShell leaves both empty."""

    _fields: ClassVar = [
        ("program_name", SpcString, {"explicit": 0, "optional": True}),
        ("more_info", SpcLink, {"explicit": 1, "optional": True}),
    ]


class SpcStatementType(core.SequenceOf):  # type: ignore[misc]
    """What the signer states about himself: an individual or a company."""

    _child_spec = core.ObjectIdentifier


def indirect_data(digest: bytes, algorithm: Hash) -> SpcIndirectDataContent:
    """Return the statement "this PowerShell text has this digest"."""
    return SpcIndirectDataContent(
        {
            "data": {
                "type": SIP_INFO,
                "value": {
                    "version": 0x10000,
                    "guid": POWERSHELL_SIP,
                    **{f"reserved{number}": 0 for number in range(1, 6)},
                },
            },
            "message_digest": {
                "digest_algorithm": {
                    "algorithm": algorithm.oid,
                    "parameters": core.Null(),
                },
                "digest": digest,
            },
        }
    )


def empty_opus_info() -> SpcSpOpusInfo:
    """Return the SpcSpOpusInfo that PowerShell writes: two empty strings."""
    return SpcSpOpusInfo(
        {
            "program_name": SpcString("unicode", ""),
            "more_info": SpcLink("url", ""),
        }
    )


class UnknownHashError(ValueError):
    """A digest algorithm that this machine does not compute."""


def read_indirect_data(octets: bytes) -> tuple[Hash, bytes]:
    """Return the hash algorithm and digest of an encoded SpcIndirectDataContent.

    :raises UnknownHashError: the algorithm is none of SHA-1, 256, 384 and 512.
    :raises ValueError, TypeError: the bytes are something else.
    """
    content = SpcIndirectDataContent.load(octets, strict=True)
    attribute = content["data"]
    if attribute["type"].dotted != SIP_INFO:
        raise ValueError("it is not about a file that PowerShell hashes")
    if attribute["value"]["guid"].native != POWERSHELL_SIP:
        raise ValueError("its digest is by another subject interface package")
    info = content["message_digest"]
    oid = info["digest_algorithm"]["algorithm"].dotted
    algorithm = HASHES_BY_OID.get(oid)
    if algorithm is None:
        raise UnknownHashError(f"hash algorithm {oid}")
    return algorithm, info["digest"].native

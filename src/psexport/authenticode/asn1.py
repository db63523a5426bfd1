"""The ASN.1 of CMS as far as Authenticode needs it, and a net under its readers.

These declarations are looser than asn1crypto's own: attributes and content keep their
octets, because those are what is hashed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from asn1crypto import cms, core

from .certificates import UNREADABLE
from .der import MalformedError
from .spc import UnknownHashError


class UnsupportedError(ValueError):
    """The bytes name an algorithm that this machine does not compute."""


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn whatever a reader raises into :class:`MalformedError`.

    :mod:`asn1crypto` is lazy, so all that is read of a structure is read in here.
    RecursionError is among what it raises: nested indefinite lengths cost two bytes.
    """
    try:
        yield
    except (MalformedError, UnsupportedError):
        raise
    except UnknownHashError as error:
        raise UnsupportedError(str(error)) from None
    except (ArithmeticError, LookupError, *UNREADABLE) as error:
        first_line = str(error).partition("\n")[0]
        raise MalformedError(f"{what} cannot be read: {first_line}") from None
    except (AttributeError, RecursionError):
        raise MalformedError(f"{what} cannot be read") from None


class Asn1Algorithm(core.Sequence):  # type: ignore[misc]
    """AlgorithmIdentifier, with parameters of any kind."""

    _fields: ClassVar = [
        ("algorithm", core.ObjectIdentifier),
        ("parameters", core.Any, {"optional": True}),
    ]


class Asn1Algorithms(core.SetOf):  # type: ignore[misc]
    """The digest algorithms of a SignedData."""

    _child_spec = Asn1Algorithm


class Asn1Values(core.SetOf):  # type: ignore[misc]
    """A set of things that are kept as they are."""

    _child_spec = core.Any


class Asn1Attribute(core.Sequence):  # type: ignore[misc]
    """An attribute, its values kept as they are."""

    _fields: ClassVar = [("type", core.ObjectIdentifier), ("values", Asn1Values)]


class Asn1Attributes(core.SetOf):  # type: ignore[misc]
    """Signed or unsigned attributes."""

    _child_spec = Asn1Attribute


class Asn1SignerInfo(core.Sequence):  # type: ignore[misc]
    """One signature."""

    _fields: ClassVar = [
        ("version", core.Integer),
        ("sid", cms.SignerIdentifier),
        ("digest_algorithm", Asn1Algorithm),
        ("signed", Asn1Attributes, {"implicit": 0, "optional": True}),
        ("signature_algorithm", Asn1Algorithm),
        ("signature", core.OctetString),
        ("unsigned", Asn1Attributes, {"implicit": 1, "optional": True}),
    ]


class Asn1SignerInfos(core.SetOf):  # type: ignore[misc]
    """The signatures of a SignedData."""

    _child_spec = Asn1SignerInfo


class Asn1Content(core.Sequence):  # type: ignore[misc]
    """What is signed: any value, in an octet string or not."""

    _fields: ClassVar = [
        ("content_type", core.ObjectIdentifier),
        ("content", core.Any, {"explicit": 0}),
    ]


class Asn1SignedData(core.Sequence):  # type: ignore[misc]
    """SignedData, both as PKCS#7 and as CMS have it."""

    _fields: ClassVar = [
        ("version", core.Integer),
        ("digest_algorithms", Asn1Algorithms),
        ("content_info", Asn1Content),
        ("certificates", Asn1Values, {"implicit": 0, "optional": True}),
        ("crls", Asn1Values, {"implicit": 1, "optional": True}),
        ("signer_infos", Asn1SignerInfos),
    ]


class Asn1ContentInfo(core.Sequence):  # type: ignore[misc]
    """The outermost structure."""

    _fields: ClassVar = [
        ("content_type", core.ObjectIdentifier),
        ("content", Asn1SignedData, {"explicit": 0}),
    ]

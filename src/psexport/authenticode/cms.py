"""SignedData, the CMS layer: built as PowerShell builds it, read as anybody did.

Two forms exist of a SignedData around Microsoft's content. Windows puts the content
there as it is (version 1, PKCS#7) and signs the octets *inside* its SEQUENCE; .NET
wraps it in an OCTET STRING (version 3, CMS) and signs all of it. Time-stamp tokens
have the second form. :func:`read_signed_data` hides the difference behind
``SignedData.covered``, the octets that messageDigest speaks for.

What is read here comes from files that anybody may have written, so a reader takes
everything out of :mod:`asn1crypto`'s lazy objects at once, inside :func:`reading`.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from asn1crypto import cms as asn1_cms
from asn1crypto import core
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from . import spc
from .algorithms import (
    EC_PUBLIC_KEY,
    HASHES_BY_OID,
    Hash,
    SignatureAlgorithm,
    read_signature_algorithm,
    signature_fits,
)
from .asn1 import (
    Asn1Attributes,
    Asn1ContentInfo,
    UnsupportedError,
    reading,
)
from .certificates import load_certificate
from .der import OCTET_STRING, SEQUENCE, SET, MalformedError, Reader

SIGNED_DATA = "1.2.840.113549.1.7.2"
CONTENT_TYPE = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
SIGNING_TIME = "1.2.840.113549.1.9.5"
#: Unsigned attributes: a time stamp of either kind, and a further signature.
RFC3161_TOKEN = "1.3.6.1.4.1.311.3.3.1"
COUNTERSIGNATURE = "1.2.840.113549.1.9.6"
NESTED_SIGNATURE = "1.3.6.1.4.1.311.2.4.1"


class BadSignatureError(ValueError):
    """The structure is sound, and the signature in it does not hold."""


# -- what a reader gives ---------------------------------------------------------


@dataclass(frozen=True)
class SignerInfo:
    """One signature and what it says about itself.

    :ivar issuer: DER of the issuer's name, with ``serial``; or ``None``.
    :ivar key_identifier: the subject key identifier, where there is no issuer.
    :ivar covered: the signed attributes as they were signed, a DER SET.
    :ivar signed: values (DER) of the signed attributes, by OID.
    :ivar unsigned: values (DER) of the unsigned attributes, by OID.
    """

    issuer: bytes | None
    serial: int | None
    key_identifier: bytes | None
    algorithm: SignatureAlgorithm
    covered: bytes
    signed: Mapping[str, tuple[bytes, ...]]
    signature: bytes
    unsigned: Mapping[str, tuple[bytes, ...]]

    def find_certificate(
        self, certificates: Sequence[x509.Certificate]
    ) -> x509.Certificate:
        """Return the signer's certificate.

        :raises BadSignatureError: it is not among ``certificates``.
        """
        for certificate in certificates:
            if self._is_by(certificate):
                return certificate
        raise BadSignatureError("the signer's certificate is not in the signature")

    def _is_by(self, certificate: x509.Certificate) -> bool:
        if self.issuer is not None:
            der = certificate.public_bytes(Encoding.DER)
            known = asn1_x509.Certificate.load(der)
            return bool(
                known.serial_number == self.serial
                and known.issuer.dump() == self.issuer
            )
        with reading("a certificate"):
            try:
                found = certificate.extensions.get_extension_for_class(
                    x509.SubjectKeyIdentifier
                )
            except x509.ExtensionNotFound:
                return False
        return found.value.digest == self.key_identifier

    def value(self, oid: str) -> bytes:
        """Return the one value (DER) of a signed attribute.

        :raises BadSignatureError: there is no such attribute.
        """
        values = self.signed.get(oid, ())
        if len(values) != 1:
            raise BadSignatureError(f"there is no signed attribute {oid}")
        return values[0]

    def check(
        self, certificate: x509.Certificate, content_type: str, covered: bytes
    ) -> None:
        """Check the signature over some content by a certificate's key.

        :raises BadSignatureError: content type, digest or signature do not fit.
        """
        with reading("a signed attribute"):
            signed_type = core.ObjectIdentifier.load(
                self.value(CONTENT_TYPE), strict=True
            ).dotted
            signed_digest = core.OctetString.load(
                self.value(MESSAGE_DIGEST), strict=True
            ).native
        if signed_type != content_type:
            raise BadSignatureError("the signature is for another type of content")
        if not hmac.compare_digest(signed_digest, self.algorithm.hash.of(covered)):
            raise BadSignatureError("the signed digest does not fit the content")
        digest = self.algorithm.hash.of(self.covered)
        if not signature_fits(certificate, self.algorithm, self.signature, digest):
            raise BadSignatureError("the signature is not by the signer's key")


@dataclass(frozen=True)
class SignedData:
    """A SignedData with one signer.

    :ivar content: the content's DER, without the wrapper that it may have.
    :ivar covered: the octets that messageDigest is the digest of.
    """

    content_type: str
    content: bytes
    covered: bytes
    certificates: tuple[x509.Certificate, ...]
    signer: SignerInfo

    def check(self) -> x509.Certificate:
        """Check the signature; return the signer's certificate.

        This says nothing about whether the certificate is to be trusted.

        :raises BadSignatureError: the signature does not hold.
        """
        certificate = self.signer.find_certificate(self.certificates)
        self.signer.check(certificate, self.content_type, self.covered)
        return certificate


# -- reading ---------------------------------------------------------------------


NULL = b"\x05\x00"


def _read_algorithm(reader: Reader) -> tuple[str, bytes]:
    """Read an AlgorithmIdentifier: its OID, and the DER of its parameters."""
    oid = reader.oid()
    parameters = reader.encoded() if reader.tag is not None else b""
    reader.end()
    return oid, parameters


def _read_hash(reader: Reader) -> Hash:
    oid, parameters = _read_algorithm(reader)
    if parameters not in (b"", NULL):
        raise MalformedError("a hash algorithm has parameters")
    if oid not in HASHES_BY_OID:
        raise UnsupportedError(f"hash algorithm {oid}")
    return HASHES_BY_OID[oid]


def _read_attributes(attributes: Reader) -> dict[str, tuple[bytes, ...]]:
    found: dict[str, tuple[bytes, ...]] = {}
    while attributes.tag is not None:
        attribute = attributes.open(SEQUENCE)
        oid = attribute.oid()
        if oid in found:
            raise MalformedError(f"attribute {oid} is there twice")
        values = attribute.open(SET)
        attribute.end()
        found[oid] = tuple(_all_encoded(values))
    return found


def _all_encoded(values: Reader) -> Iterator[bytes]:
    while values.tag is not None:
        yield values.encoded()


def _read_signer(info: Reader) -> SignerInfo:
    version = info.integer()
    issuer = serial = key_identifier = None
    if info.tag == SEQUENCE:
        name = info.open(SEQUENCE)
        issuer, serial = name.encoded(SEQUENCE), name.integer()
        name.end()
    else:
        key_identifier = info.take(0x80)
    if version != (3 if issuer is None else 1):
        raise MalformedError("the signer's version does not fit its form")
    digest = _read_hash(info.open(SEQUENCE))
    signed = info.encoded(0xA0)
    oid, parameters = _read_algorithm(info.open(SEQUENCE))
    algorithm = read_signature_algorithm(oid, digest)
    if algorithm is None:
        raise UnsupportedError(f"signature algorithm {oid} with {digest.name}")
    # A bare EC key may name its curve here; nothing else takes parameters.
    if parameters not in (b"", NULL) and oid != EC_PUBLIC_KEY:
        raise MalformedError("a signature algorithm has parameters")
    signature = info.take(OCTET_STRING)
    unsigned = info.open(0xA1) if info.tag is not None else Reader(b"")
    info.end()
    return SignerInfo(
        issuer=issuer,
        serial=serial,
        key_identifier=key_identifier,
        algorithm=algorithm,
        # Signed as a SET, stored with a context tag: only the first octet differs.
        covered=b"\x31" + signed[1:],
        signed=_read_attributes(Reader(signed).open(0xA0)),
        signature=signature,
        unsigned=_read_attributes(unsigned),
    )


def _read_content(content: Reader, version: int) -> tuple[bytes, bytes]:
    """Return the content and what of it is covered."""
    if version == 3:
        octets = content.take(OCTET_STRING)
        content.end()
        return octets, octets
    if version != 1:
        raise MalformedError(f"version {version} of signed data is not known")
    encoded = content.encoded(SEQUENCE)
    content.end()
    return encoded, Reader(encoded).take(SEQUENCE)


def read_signed_data(der: bytes) -> SignedData:
    """Read a SignedData in either form.

    :raises MalformedError: it is none, or it has not exactly one signer.
    :raises UnsupportedError: it is made with an algorithm that we do not compute.
    """
    whole = Reader(der)
    outer = whole.open(SEQUENCE)
    whole.end()
    if outer.oid() != SIGNED_DATA:
        raise MalformedError("it is not signed data")
    tagged = outer.open(0xA0)
    outer.end()
    data = tagged.open(SEQUENCE)
    tagged.end()
    version = data.integer()
    hashes = [_read_hash(each.open(SEQUENCE)) for each in data.open(SET).rest()]
    info = data.open(SEQUENCE)
    content_type = info.oid()
    content, covered = _read_content(info.open(0xA0), version)
    info.end()
    certificates = _read_certificates(data.open(0xA0) if data.tag == 0xA0 else None)
    infos = data.open(SET)  # revocation lists would be [1], and belong nowhere here
    data.end()
    signer = _read_signer(infos.open(SEQUENCE))
    infos.end()
    if hashes != [signer.algorithm.hash]:
        raise MalformedError("the digest algorithms are not the signer's")
    return SignedData(content_type, content, covered, certificates, signer)


def _read_certificates(values: Reader | None) -> tuple[x509.Certificate, ...]:
    if values is None:
        return ()
    with reading("a certificate"):
        return tuple(map(load_certificate, _all_encoded(values)))


def read_countersigner(der: bytes) -> SignerInfo:
    """Read the value of a PKCS#9 countersignature: a SignerInfo.

    :raises MalformedError: it is none.
    :raises UnsupportedError: it is made with an algorithm that we do not compute.
    """
    whole = Reader(der)
    info = whole.open(SEQUENCE)
    whole.end()
    return _read_signer(info)


# -- building --------------------------------------------------------------------


def signed_attributes(content: spc.SpcIndirectDataContent, algorithm: Hash) -> bytes:
    """Return the attributes to sign, a DER SET, for a PowerShell text.

    There is no signing time: PowerShell writes none, and the clock stays outside.
    """
    values = {
        spc.OPUS_INFO: spc.empty_opus_info(),
        CONTENT_TYPE: core.ObjectIdentifier(spc.INDIRECT_DATA),
        spc.STATEMENT_TYPE: spc.SpcStatementType([spc.INDIVIDUAL_PURPOSE]),
        MESSAGE_DIGEST: core.OctetString(algorithm.of(content.contents)),
    }
    attributes = Asn1Attributes(
        [_attribute(oid, value) for oid, value in values.items()]
    )
    return bytes(attributes.dump())


def _attribute(oid: str, value: core.Asn1Value) -> dict[str, object]:
    return {"type": oid, "values": [core.Any(value)]}


def build_signed_data(
    content: spc.SpcIndirectDataContent,
    algorithm: SignatureAlgorithm,
    attributes: bytes,
    signature: bytes,
    certificates: Sequence[x509.Certificate],
    token: bytes | None,
) -> bytes:
    """Return the DER of a SignedData in Windows' form.

    :param attributes: what :func:`signed_attributes` gave.
    :param signature: the signature over ``attributes``.
    :param certificates: what to include; the first is the signer's.
    :param token: the DER of a time-stamp token, or ``None``.
    """
    encoded = [each.public_bytes(Encoding.DER) for each in certificates]
    leaf = asn1_x509.Certificate.load(encoded[0])
    null = {"parameters": core.Null()}
    digest_algorithm = {"algorithm": algorithm.hash.oid, **null}
    info = {
        "version": 1,
        "sid": asn1_cms.SignerIdentifier(
            "issuer_and_serial_number",
            {"issuer": leaf.issuer, "serial_number": leaf.serial_number},
        ),
        "digest_algorithm": digest_algorithm,
        "signed": Asn1Attributes.load(attributes),
        "signature_algorithm": {
            "algorithm": algorithm.oid,
            **(null if algorithm.family == "RSA" else {}),
        },
        "signature": signature,
    }
    if token is not None:
        info["unsigned"] = [_attribute(RFC3161_TOKEN, core.load(token))]
    signed_data = {
        "version": 1,
        "digest_algorithms": [digest_algorithm],
        "content_info": {
            "content_type": spc.INDIRECT_DATA,
            "content": content.retag({"explicit": 0}),
        },
        "certificates": [core.Any(core.load(each)) for each in encoded],
        "signer_infos": [info],
    }
    outer = Asn1ContentInfo({"content_type": SIGNED_DATA, "content": signed_data})
    return bytes(outer.dump())

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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asn1crypto import cms as asn1_cms
from asn1crypto import core
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from . import spc
from .algorithms import (
    HASHES_BY_OID,
    Hash,
    SignatureAlgorithm,
    read_signature_algorithm,
    signature_fits,
)
from .asn1 import (
    Asn1Algorithm,
    Asn1Attributes,
    Asn1Content,
    Asn1ContentInfo,
    Asn1SignerInfo,
    MalformedError,
    UnsupportedError,
    reading,
)

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
            if certificate.serial_number != self.serial:
                return False
            der = certificate.public_bytes(Encoding.DER)
            return bool(asn1_x509.Certificate.load(der).issuer.dump() == self.issuer)
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


def _read_hash(algorithm: Asn1Algorithm) -> Hash:
    oid = algorithm["algorithm"].dotted
    _require_no_parameters(algorithm)
    if oid not in HASHES_BY_OID:
        raise UnsupportedError(f"hash algorithm {oid}")
    return HASHES_BY_OID[oid]


def _require_no_parameters(algorithm: Asn1Algorithm) -> None:
    if algorithm["parameters"].dump() not in (b"", b"\x05\x00"):
        raise MalformedError("an algorithm has parameters where it takes none")


def _read_attributes(attributes: core.Asn1Value) -> dict[str, tuple[bytes, ...]]:
    found: dict[str, tuple[bytes, ...]] = {}
    if isinstance(attributes, core.Void):
        return found
    for attribute in attributes:
        oid = attribute["type"].dotted
        if oid in found:
            raise MalformedError(f"attribute {oid} is there twice")
        found[oid] = tuple(value.dump() for value in attribute["values"])
    return found


def _read_signer(info: Asn1SignerInfo) -> SignerInfo:
    sid = info["sid"]
    by_issuer = sid.name == "issuer_and_serial_number"
    if info["version"].native != (1 if by_issuer else 3):
        raise MalformedError("the signer's version does not fit its form")
    digest = _read_hash(info["digest_algorithm"])
    oid = info["signature_algorithm"]["algorithm"].dotted
    algorithm = read_signature_algorithm(oid, digest)
    if algorithm is None:
        raise UnsupportedError(f"signature algorithm {oid} with {digest.name}")
    if oid != "1.2.840.10045.2.1":  # a bare EC key may name its curve here
        _require_no_parameters(info["signature_algorithm"])
    signed = info["signed"]
    if isinstance(signed, core.Void):
        raise MalformedError("there are no signed attributes")
    return SignerInfo(
        issuer=sid.chosen["issuer"].dump() if by_issuer else None,
        serial=sid.chosen["serial_number"].native if by_issuer else None,
        key_identifier=None if by_issuer else sid.chosen.native,
        algorithm=algorithm,
        # Signed as a SET, stored with a context tag: only the first octet differs.
        covered=b"\x31" + signed.dump()[1:],
        signed=_read_attributes(signed),
        signature=info["signature"].native,
        unsigned=_read_attributes(info["unsigned"]),
    )


def _read_content(info: Asn1Content, version: int) -> tuple[bytes, bytes]:
    """Return the content and what of it is covered."""
    value = info["content"].parse()
    if isinstance(value, core.OctetString):
        if version != 3:
            raise MalformedError("content in an octet string is of version 3")
        return value.native, value.native
    if version != 1 or not isinstance(value, core.Sequence):
        raise MalformedError("content without an octet string is of version 1")
    return value.untag().dump(), value.contents


def read_signed_data(der: bytes) -> SignedData:
    """Read a SignedData in either form.

    :raises MalformedError: it is none, or it has not exactly one signer.
    :raises UnsupportedError: it is made with an algorithm that we do not compute.
    """
    with reading("the signed data"):
        outer = Asn1ContentInfo.load(der, strict=True)
        if outer["content_type"].dotted != SIGNED_DATA:
            raise MalformedError("it is not signed data")
        data = outer["content"]
        infos = list(data["signer_infos"])
        if len(infos) != 1:
            raise MalformedError(f"there are {len(infos)} signers, not one")
        signer = _read_signer(infos[0])
        hashes = [_read_hash(each) for each in data["digest_algorithms"]]
        if hashes != [signer.algorithm.hash]:
            raise MalformedError("the digest algorithms are not the signer's")
        if not isinstance(data["crls"], core.Void):
            raise MalformedError("there are revocation lists where none belong")
        content, covered = _read_content(data["content_info"], data["version"].native)
        return SignedData(
            content_type=data["content_info"]["content_type"].dotted,
            content=content,
            covered=covered,
            certificates=tuple(
                x509.load_der_x509_certificate(each.dump())
                for each in data["certificates"]
            ),
            signer=signer,
        )


def read_countersigner(der: bytes) -> SignerInfo:
    """Read the value of a PKCS#9 countersignature: a SignerInfo.

    :raises MalformedError: it is none.
    :raises UnsupportedError: it is made with an algorithm that we do not compute.
    """
    with reading("the countersignature"):
        return _read_signer(Asn1SignerInfo.load(der, strict=True))


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

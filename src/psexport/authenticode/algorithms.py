"""Hashes and signature algorithms: their names, their OIDs, and how to use them.

The rest of the package speaks of ``SHA256`` and ``RSA``; only this module knows what
those are called in DER and in :mod:`cryptography`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asn1crypto import algos, core
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    encode_dss_signature,
)
from cryptography.x509.oid import PublicKeyAlgorithmOID

from ..errors import PSExportError
from .certificates import UNREADABLE

if TYPE_CHECKING:
    from cryptography import x509

MINIMUM_RSA_BITS = 2048
MINIMUM_CURVE_BITS = 256
#: The curves that Windows code signing and X.509 path validation both know.
CURVES = ("secp256r1", "secp384r1", "secp521r1")


@dataclass(frozen=True)
class Hash:
    """One hash function, under the name that Set-AuthenticodeSignature gives it."""

    name: str
    oid: str
    primitive: type[hashes.HashAlgorithm]

    def of(self, *parts: bytes) -> bytes:
        """Digest of ``parts``, one after the other."""
        state = hashlib.new(self.name.lower())
        for part in parts:
            state.update(part)
        return state.digest()


SHA1 = Hash("SHA1", "1.3.14.3.2.26", hashes.SHA1)
SHA256 = Hash("SHA256", "2.16.840.1.101.3.4.2.1", hashes.SHA256)
SHA384 = Hash("SHA384", "2.16.840.1.101.3.4.2.2", hashes.SHA384)
SHA512 = Hash("SHA512", "2.16.840.1.101.3.4.2.3", hashes.SHA512)

#: What we make. SHA-1 is there to verify old signatures, never to make one.
SIGNING_HASHES = {each.name: each for each in (SHA256, SHA384, SHA512)}
HASHES_BY_OID = {each.oid: each for each in (SHA1, SHA256, SHA384, SHA512)}


def signing_hash(name: str) -> Hash:
    """Return the hash called ``name``: ``SHA256``, ``sha-384``, …

    :raises PSExportError: ``ErrorSigningHashAlgorithm`` if we do not sign with it.
    """
    found = SIGNING_HASHES.get(name.upper().replace("-", ""))
    if found is None:
        raise PSExportError(
            f"Files cannot be signed with the hash algorithm {name}",
            id="ErrorSigningHashAlgorithm",
            target=name,
            hint=f"Use one of {', '.join(SIGNING_HASHES)}.",
        )
    return found


@dataclass(frozen=True)
class SignatureAlgorithm:
    """What a key is asked to do: ``family`` is ``RSA`` (PKCS#1 v1.5) or ``ECDSA``."""

    family: str
    hash: Hash

    @property
    def oid(self) -> str:
        """The OID that a SignerInfo which we make carries."""
        return RSA_ENCRYPTION if self.family == "RSA" else ECDSA_BY_HASH[self.hash.name]


RSA_ENCRYPTION = "1.2.840.113549.1.1.1"
ECDSA_BY_HASH = {
    "SHA1": "1.2.840.10045.4.1",
    "SHA256": "1.2.840.10045.4.3.2",
    "SHA384": "1.2.840.10045.4.3.3",
    "SHA512": "1.2.840.10045.4.3.4",
}
_RSA_BY_HASH = {
    "SHA1": "1.2.840.113549.1.1.5",
    "SHA256": "1.2.840.113549.1.1.11",
    "SHA384": "1.2.840.113549.1.1.12",
    "SHA512": "1.2.840.113549.1.1.13",
}
EC_PUBLIC_KEY = "1.2.840.10045.2.1"


def read_signature_algorithm(oid: str, digest: Hash) -> SignatureAlgorithm | None:
    """Return what ``oid`` means beside ``digest``; ``None`` if it means nothing here.

    Signers in the wild name the key's algorithm, or key and hash together. The second
    form has to name the same hash as the SignerInfo does.
    """
    if oid in (RSA_ENCRYPTION, _RSA_BY_HASH[digest.name]):
        return SignatureAlgorithm("RSA", digest)
    if oid in (EC_PUBLIC_KEY, ECDSA_BY_HASH[digest.name]):
        return SignatureAlgorithm("ECDSA", digest)
    return None


def key_family(certificate: x509.Certificate) -> str | None:
    """Return ``RSA`` or ``ECDSA`` for a key that can sign scripts, else ``None``."""
    try:
        key = certificate.public_key()
    except UNREADABLE:
        return None
    if isinstance(key, rsa.RSAPublicKey):
        # A key that is bound to PSS may not sign with PKCS#1 v1.5.
        bound = certificate.public_key_algorithm_oid == PublicKeyAlgorithmOID.RSASSA_PSS
        return None if bound else "RSA"
    if isinstance(key, ec.EllipticCurvePublicKey):
        weak = key.curve.key_size < MINIMUM_CURVE_BITS
        return "ECDSA" if weak or key.curve.name in CURVES else None
    return None


def weakness(certificate: x509.Certificate) -> str | None:
    """Say why the certificate's key is too weak to rely on, or ``None``."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < MINIMUM_RSA_BITS:
        return f"RSA with {key.key_size} bits, the least is {MINIMUM_RSA_BITS}"
    if (
        isinstance(key, ec.EllipticCurvePublicKey)
        and key.curve.key_size < MINIMUM_CURVE_BITS
    ):
        bits = key.curve.key_size
        return f"a curve of {bits} bits, the least is {MINIMUM_CURVE_BITS}"
    return None


def signature_fits(
    certificate: x509.Certificate,
    algorithm: SignatureAlgorithm,
    signature: bytes,
    digest: bytes,
) -> bool:
    """Tell whether ``signature`` over ``digest`` is by the certificate's key."""
    prehashed = Prehashed(algorithm.hash.primitive())
    try:
        key = certificate.public_key()
        if isinstance(key, rsa.RSAPublicKey) and algorithm.family == "RSA":
            key.verify(signature, digest, padding.PKCS1v15(), prehashed)
        elif isinstance(key, ec.EllipticCurvePublicKey) and algorithm.family == "ECDSA":
            key.verify(signature, digest, ec.ECDSA(prehashed))
        else:
            return False
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def digest_info(algorithm: Hash, digest: bytes) -> bytes:
    """Return the DigestInfo that RSA pads: for keys that only pad and encrypt."""
    info = algos.DigestInfo(
        {
            "digest_algorithm": {"algorithm": algorithm.oid, "parameters": core.Null()},
            "digest": digest,
        }
    )
    return bytes(info.dump())


def ecdsa_to_der(raw: bytes) -> bytes:
    """Return the DER form of an ECDSA signature given as r and s, side by side."""
    half = len(raw) // 2
    return encode_dss_signature(
        int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big")
    )

"""A private key in this process's memory, as PFX and PEM files give one."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from ..algorithms import SignatureAlgorithm
from .hook import KeySource, unsupported


class LocalKey:
    """Signs by :mod:`cryptography`. The same input gives the same signature."""

    def __init__(self, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> None:
        self._key = key

    def sign_digest(self, algorithm: SignatureAlgorithm, digest: bytes) -> bytes:
        """Sign as :class:`.hook.SigningKey` says."""
        prehashed = Prehashed(algorithm.hash.primitive())
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(digest, padding.PKCS1v15(), prehashed)
        return self._key.sign(digest, ec.ECDSA(prehashed, deterministic_signing=True))


def local_source(key: object, target: str) -> KeySource:
    """Return the source for a key that :mod:`cryptography` has loaded.

    :raises PSExportError: ``ErrorCertificateKeyUnsupported`` for other kinds of keys.
    """
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise unsupported(target)
    return KeySource((), LocalKey(key), key.public_key())
